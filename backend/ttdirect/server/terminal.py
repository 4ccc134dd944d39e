"""What the server's terminal shows: a line for each request, its answer, and each phase."""

from __future__ import annotations

import logging
import sys

PORTABLE_FIX = "ttdirect doctor shows what is missing"


def set_up_log() -> None:
    """Print the messages of ttdirect's loggers to stderr, a time in front of each."""
    logger = logging.getLogger("ttdirect")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def tell_failure(what: str, fix: str) -> None:
    """Print why the server cannot go on: one line what happened, one line what to do."""
    print(f"error: {what}\nfix:   {fix}", file=sys.stderr, flush=True)


def explain(error: BaseException) -> tuple[str, str]:
    """The two lines for an error that ended the start: what happened, what to do.

    Errors made for users carry their own `fix`; for the others the type of the error helps.
    """
    lines = str(error).strip().splitlines()
    what = lines[0] if lines else type(error).__name__
    fix = getattr(error, "fix", None)
    if fix is None and isinstance(error, MemoryError):
        fix = "choose a smaller model, or lower CACHE_TOKENS in the script"
    return what, str(fix or PORTABLE_FIX)
