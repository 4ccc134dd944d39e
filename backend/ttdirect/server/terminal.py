"""What the server's terminal shows: a line for each request, its answer, and each phase."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from dataclasses import dataclass
from typing import NoReturn

from ttdirect.device import DeviceError, recognise
from ttdirect.server.environment import SettingError, text
from ttdirect.server.note import note
from ttdirect.server.request_log import FORMAT_VARIABLE, log_handler

PORTABLE_FIX = "ttdirect doctor shows what is missing"

EXIT_DO_NOT_RETRY = 3
"""gunicorn gives up when a worker ends with this code, and starts a new one after any other."""


def set_up_log() -> None:
    """Print the messages of ttdirect's loggers to stderr.

    Each is a line with a time in front, or a JSON object with TTDIRECT_LOG_FORMAT=json.

    Raises:
        SystemExit: there is no such format.
    """
    logger = logging.getLogger("ttdirect")
    if logger.handlers:
        return
    log_format = text(FORMAT_VARIABLE).lower() or "text"
    try:
        logger.addHandler(log_handler(sys.stderr, log_format))
    except SettingError as error:
        refuse_setting(error)
    logger.setLevel(logging.INFO)
    logger.propagate = False


@dataclass(frozen=True)
class Failure:
    """Why the server cannot go on: what happened, what to do, and a stable name for the kind."""

    code: str
    what: str
    fix: str


def tell_failure(failure: Failure) -> None:
    """Print one line what happened and one line what to do, and leave both in the server's note."""
    note.failed(failure)
    with contextlib.suppress(OSError, ValueError):  # the disk is full, the terminal closed
        print(f"error: {failure.what}\nfix:   {failure.fix}", file=sys.stderr, flush=True)


def refuse_setting(error: SettingError) -> NoReturn:
    """Print the two lines for a setting that cannot be meant, and end the process for good."""
    tell_failure(Failure("settings", str(error), error.fix))
    sys.exit(EXIT_DO_NOT_RETRY)


def explain(error: BaseException) -> Failure:
    """Put an error that ended the server into the two lines.

    Errors made for users carry their own `fix`, those of a card are known by their texts; for the
    others the type of the error helps. The code is the error's own, or the name of its type:
    "model-not-found" for ModelNotFoundError.
    """
    error = recognise(error) or error
    lines = str(error).strip().splitlines()
    what = lines[0] if lines else type(error).__name__
    fix = getattr(error, "fix", None)
    if fix is None and isinstance(error, MemoryError):
        fix = "choose a smaller model, or lower CACHE_TOKENS in the script"
    name = type(error).__name__.removesuffix("Error") or "Error"
    code = re.sub(r"(?<!^)(?=[A-Z][a-z]|(?<=[a-z])[A-Z])", "-", name).lower()
    if isinstance(error, DeviceError):
        code = error.code
    return Failure(code, what, str(fix or PORTABLE_FIX))
