"""The protocol byte by byte: stray output, cancelled requests, an editor that vanishes."""

import json
import subprocess
import sys

import pytest

from ttdirect.script.render import ScriptSettings, render

SCRIPT = render(ScriptSettings(device="cpu", model="demo"))
PLAIN = "from ttdirect.language_server.lsp.server import serve_stdio\nserve_stdio()\n"
NOISY = """\
import os, sys
from ttdirect.language_server.lsp import answers
from ttdirect.language_server.lsp.server import serve_stdio
real = answers.hover
def hover(*arguments):
    print("a stray print", flush=True)
    os.write(1, b"a stray write\\n")
    os.system("echo a stray child")
    return real(*arguments)
answers.hover = hover
serve_stdio()
"""
# The recipes are looked at until somebody hovers.
BUSY = """\
import threading
from ttdirect.language_server.lsp import actions, answers
from ttdirect.language_server.lsp.server import serve_stdio
hovered = threading.Event()
def offers(source):
    hovered.wait(60)
    return []
def hover(*arguments):
    hovered.set()
actions._offers, answers.hover = offers, hover
serve_stdio()
"""
URI = "file:///s.py"
DOCUMENT = {"uri": URI}
ZERO = {"line": 0, "character": 0}


class Wire:
    """A server process, and nothing between us and its bytes."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, method, params, identifier=None):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if identifier is not None:
            message["id"] = identifier
        body = json.dumps(message, ensure_ascii=False).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self):
        """The next message; every byte in front of it has to be its header."""
        length, line = None, self.process.stdout.readline()
        while line != b"\r\n":
            name, separator, value = line.partition(b": ")
            assert separator, line
            assert line.endswith(b"\r\n"), line
            if name == b"Content-Length":
                length = int(value)
            line = self.process.stdout.readline()
        return json.loads(self.process.stdout.read(length))

    def answer(self, identifier):
        while (message := self.receive()).get("id") != identifier or "method" in message:
            pass
        return message

    def start(self, text=SCRIPT):
        self.send("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, 1)
        assert self.answer(1)["result"]["capabilities"]["positionEncoding"] == "utf-16"
        self.send("initialized", {})
        item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        self.send("textDocument/didOpen", {"textDocument": item})

    def end(self):
        self.send("shutdown", None, "last")
        assert "error" not in self.answer("last")
        self.send("exit", None)
        output, errors = self.process.communicate(timeout=60)
        assert output == b""
        return self.process.returncode, errors


@pytest.fixture
def wire():
    started = []

    def start(program):
        started.append(Wire(program))
        return started[-1]

    yield start
    for it in started:
        it.process.kill()
        it.process.communicate()


def test_stray_output_does_not_reach_the_wire(wire):
    it = wire(NOISY)
    it.start()
    it.send("textDocument/hover", {"textDocument": DOCUMENT, "position": ZERO}, 2)
    assert it.answer(2)["result"] is None
    code, errors = it.end()
    assert code == 0
    assert [b"a stray " + word in errors for word in (b"print", b"write", b"child")] == [True] * 3


def test_a_cancelled_request_is_answered_at_once_and_others_are_not_held_up(wire):
    it = wire(BUSY)
    it.start()
    context = {"diagnostics": [], "only": ["refactor"], "triggerKind": 1}
    where = {"textDocument": DOCUMENT, "range": {"start": ZERO, "end": ZERO}, "context": context}
    it.send("textDocument/codeAction", where, 2)
    it.send("$/cancelRequest", {"id": 2})
    assert it.answer(2)["error"]["code"] == -32800
    it.send("textDocument/codeAction", where, 3)
    it.send("textDocument/hover", {"textDocument": DOCUMENT, "position": ZERO}, 4)
    assert it.receive()["id"] == 4  # before the third, which waits for it
    assert it.answer(3)["result"] == []
    assert it.end()[0] == 0


def test_the_server_ends_with_its_editor(wire):
    it = wire(PLAIN)
    it.start()
    it.process.stdin.close()
    it.process.stdin = None
    it.process.communicate(timeout=60)
    assert it.process.returncode == 0


def test_nonsense_is_answered_with_an_error_and_what_is_typed_is_not_logged(wire):
    it = wire(PLAIN)
    it.start("secret_words = 1\n")
    it.send("textDocument/hover", {"textDocument": DOCUMENT}, 2)
    it.send("no/such/thing", {}, 3)
    assert it.answer(3)["error"]["code"] == -32601
    code, errors = it.end()
    assert code == 0
    assert b"secret_words" not in errors


@pytest.mark.parametrize("module", ["ttdirect.language_server.lsp.setup", "ttdirect.cli.check"])
def test_nothing_heavy_is_imported(module):
    program = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(run.stdout.decode().split())
    heavy = {"torch", "flask", "ttnn", "pydantic", "numpy", "transformers", "requests", "libcst"}
    assert not heavy & loaded
    assert not {"markdown_it", "tree_sitter_bash"} & loaded  # a Python file needs them not
