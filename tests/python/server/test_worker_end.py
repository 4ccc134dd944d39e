"""How a worker ended, and whether gunicorn's master starts another one."""

import os
import signal
import sys

import pytest

from ttdirect.server.worker_end import SILENCE_SECONDS, in_words, status_of, why_not_again
from waiting import wait_until


def ended(status, *, was_ready=True, had_card=True, timed_out=False):
    return why_not_again(status, was_ready=was_ready, had_card=had_card, timed_out=timed_out)


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE])
@pytest.mark.parametrize("was_ready", [True, False])
def test_a_crash_with_a_card_open_loses_the_device(number, was_ready):
    assert ended(-number, was_ready=was_ready).code == "device-crashed"


def test_so_does_a_worker_that_hears_nothing_any_more():
    """It got SIGABRT first, and could not handle it."""
    failure = ended(-signal.SIGKILL, timed_out=True)
    assert failure.code == "device-hangs"
    assert f"gave no sign of life for {SILENCE_SECONDS} s, so the device" in failure.what
    assert "tt-smi -r" in failure.fix


def test_one_that_hears_nothing_while_it_opens_a_device_may_wait_for_another_program():
    """A reset would end that one, too."""
    failure = ended(-signal.SIGKILL, was_ready=False, timed_out=True)
    assert failure.code == "device-hangs"
    assert failure.what.endswith(f"gave no sign of life for {SILENCE_SECONDS} s.")
    assert failure.fix.startswith("end what else uses the device")


@pytest.mark.parametrize(
    ("status", "options"),
    [
        (-signal.SIGSEGV, {"had_card": False}),
        (-signal.SIGKILL, {}),  # most often the memory was full
        (-signal.SIGKILL, {"timed_out": True, "had_card": False}),
        (1, {"timed_out": True}),  # it was slow, and heard the first signal
        (1, {}),
        (None, {}),
    ],
)
def test_another_worker_may_fare_better_than_one_that_was_ready(status, options):
    assert ended(status, **options) is None


@pytest.mark.parametrize(
    ("status", "timed_out", "code", "words"),
    [
        (-signal.SIGKILL, False, "killed", "most often the memory is full"),
        (-signal.SIGKILL, True, "worker-ended", f"gave no sign of life for {SILENCE_SECONDS} s"),
        (7, False, "worker-ended", "(exit code 7)"),
        (-signal.SIGSEGV, False, "worker-ended", "(SIGSEGV)"),
        (None, False, "worker-ended", "(nobody saw how)"),
    ],
)
def test_one_that_was_never_ready_is_the_last(status, timed_out, code, words):
    failure = ended(status, was_ready=False, had_card=False, timed_out=timed_out)
    assert failure.code == code
    assert words in failure.what


@pytest.mark.parametrize(("end", "status"), [("os._exit(7)", 7), ("os.abort()", -signal.SIGABRT)])
def test_the_status_of_a_child_is_seen_and_left_for_gunicorn(end, status):
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", f"import os; {end}"], os.environ)
    wait_until(lambda: status_of(child) is not None)
    assert status_of(child) == status
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status
    assert status_of(child) is None


def test_a_system_that_cannot_tell_is_no_error(monkeypatch):
    monkeypatch.delattr(os, "waitid")
    assert status_of(os.getpid()) is None


def test_a_status_in_words():
    assert [in_words(it) for it in (None, 0, 7, -11, -99)] == [
        "nobody saw how",
        "exit code 0",
        "exit code 7",
        "SIGSEGV",
        "signal 99",
    ]
