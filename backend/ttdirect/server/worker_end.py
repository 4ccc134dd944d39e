"""How gunicorn's worker ended, and whether another one would fare better."""

from __future__ import annotations

import os
import signal

from ttdirect.device import crashed, hangs, hangs_in_loading
from ttdirect.server.terminal import Failure, explain

SILENCE_SECONDS = 120
"""gunicorn ends a worker that gives no sign of life for so long: by SIGABRT, and if nothing comes
of that, by SIGKILL. The second one means that native code holds Python's lock and does not return:
not even a handler of signals can run."""

_CRASHES = (
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSEGV,
)
"""What native code ends by: a check that failed, memory or a chip that is not there any more."""


def status_of(pid: int) -> int | None:
    """Return how a child process ended, and leave it for gunicorn to fetch.

    Args:
        pid: of a child that was not waited for.

    Returns:
        Its exit code, or minus the signal that ended it; None while it runs, or where the system
        cannot tell (macOS before Python 3.13).
    """
    if not hasattr(os, "waitid"):
        return None
    try:
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if end is None:
        return None
    return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status


def why_not_again(
    status: int | None, *, was_ready: bool, had_card: bool, timed_out: bool
) -> Failure | None:
    """Return why no other worker is to be started, None where one is.

    Args:
        status: as `status_of` returns it; None where nobody saw it.
        was_ready: whether the model had been loaded.
        had_card: whether the worker had a card open.
        timed_out: whether gunicorn ended it, because it gave no sign of life.
    """
    how = in_words(status)
    silence = f"gave no sign of life for {SILENCE_SECONDS} s"
    if had_card and timed_out and status == -signal.SIGKILL:
        if not was_ready:
            return explain(hangs_in_loading(SILENCE_SECONDS))
        return explain(hangs(f"The process that had the device open {silence}"))
    if had_card and status is not None and -status in _CRASHES:
        return explain(crashed(how))
    if was_ready:
        return None
    if timed_out:
        how = f"it {silence}"
    elif status == -signal.SIGKILL:
        return Failure(
            "killed",
            "The process that loaded the model was killed; most often the memory is full.",
            "choose a smaller model, or lower CACHE_TOKENS in the script",
        )
    return Failure(
        "worker-ended",
        f"The process that loaded the model ended before it was ready ({how}).",
        "look at the lines above and start again; ttdirect doctor --report makes a text to send",
    )


def in_words(status: int | None) -> str:
    """Return "SIGSEGV", "exit code 7", or that nobody knows."""
    if status is None:
        return "nobody saw how"
    if status >= 0:
        return f"exit code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
