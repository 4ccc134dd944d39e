"""The conversation on a real terminal, as a user has it: a process behind a pseudo-terminal."""

import contextlib
import os
import select
import subprocess
import sys
import threading
import time

import pytest

from cli.fake_server import Answer, event, pieces

PATIENCE_SECONDS = 20
CTRL_C, CTRL_D = "\x03", "\x04"

# A session leader's first terminal becomes the one whose Ctrl+C it gets. A shell starts what runs
# in the background, perhaps these tests, with Ctrl+C ignored.
IN_TERMINAL = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
terminal = os.open(sys.argv[1], os.O_RDWR)
for stream in range(3):
    os.dup2(terminal, stream)
os.execv(sys.executable, [sys.executable, "-m", "ttdirect", "chat", *sys.argv[2:]])
"""


class Terminal:
    """A chat on a terminal of its own, and what it has shown."""

    def __init__(self, *arguments):
        self.shown = b""
        self.master, self.slave = os.openpty()
        name = os.ttyname(self.slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_TERMINAL, name, *arguments], start_new_session=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def wait_for(self, text, *, pressing=None):
        """Read until `text` is shown, and forget what came before its end.

        `pressing` is typed every second meanwhile: a signal that comes just before input()
        starts to wait is only seen with the next key, as on any terminal.
        """
        give_up = time.monotonic() + PATIENCE_SECONDS
        while text.encode() not in self.shown:
            assert time.monotonic() < give_up, f"{text!r} did not come: {self.shown!r}"
            if pressing:
                self.type(pressing)
            while select.select([self.master], [], [], 1)[0]:
                self.shown += os.read(self.master, 4096)
                if text.encode() in self.shown:
                    break
        self.shown = self.shown.partition(text.encode())[2]

    def type(self, keys):
        os.write(self.master, keys.encode())

    def exit_code(self, *, pressing):
        """Press a key until the chat has ended."""
        for _ in range(PATIENCE_SECONDS):
            self.type(pressing)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(1)
        raise AssertionError(f"the chat did not end: {self.shown!r}")


@pytest.mark.slow
def test_a_conversation_with_every_way_to_interrupt_it(server):
    hold = threading.Event()
    server.answers = [
        Answer([event(text="Once upon"), b": ping\n\n"], hold=hold),
        Answer(pieces("Gr\x1b[2Jüße")),
    ]
    with Terminal("--url", server.url) as chat:
        chat.wait_for("fake-1b answers on")
        chat.wait_for("> ")
        chat.type("a story\n")
        chat.wait_for("Once upon")
        chat.wait_for("Stopped.", pressing=CTRL_C)
        hold.set()
        chat.wait_for("> ")
        chat.type("hallo\n")
        chat.wait_for("Gr␛[2Jüße")
        chat.wait_for("3 tokens in 0.50 s")
        chat.wait_for("> ")
        chat.wait_for("Ctrl+C once more leaves.", pressing=CTRL_C)
        assert chat.exit_code(pressing=CTRL_C) == 130


@pytest.mark.slow
def test_ctrl_d_leaves_a_conversation_with_0(server):
    with Terminal("--url", server.url) as chat:
        chat.wait_for("> ")
        assert chat.exit_code(pressing=CTRL_D) == 0
