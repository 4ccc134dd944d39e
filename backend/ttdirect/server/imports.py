"""What keeps the script from starting is said in two lines, not in a traceback."""

from __future__ import annotations

import contextlib
import linecache
import logging
import os
import re
import sys
from typing import TYPE_CHECKING

from ttdirect.device import clone, recognise
from ttdirect.engine import EngineSettingError
from ttdirect.server.note import note
from ttdirect.server.terminal import (
    EXIT_DO_NOT_RETRY,
    PORTABLE_FIX,
    Failure,
    explain,
    tell_failure,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType


@contextlib.contextmanager
def explained_imports() -> Generator[None, None, None]:
    """Import ttnn and tt-metal's models in here.

    The clone in TT_METAL_HOME is found without PYTHONPATH, too. From then on, errors of the script
    that carry a `fix`, such as a setting that the engine refuses, end it in two lines as well.

    Raises:
        SystemExit: something cannot be imported; the code also tells gunicorn not to try again.
    """
    clone.put_on_path()
    try:
        yield
    except (ImportError, AttributeError) as error:
        known = recognise(error)
        if known is None:
            if isinstance(error, AttributeError):
                raise
            failure = Failure("missing-packages", f"{error}, in {sys.executable}.", PORTABLE_FIX)
        else:
            failure = Failure(known.code, str(known), known.fix)
        if not os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
            # For the editor that started this script and waits for its note.
            note.open(os.getpid(), sys.argv[0], by="script")
        tell_failure(failure)
        sys.exit(EXIT_DO_NOT_RETRY)
    sys.excepthook = _tell_uncaught
    logging.getLogger("gunicorn.error").addFilter(_tell_instead_of_gunicorn)


def _tell_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Print what to do about an error that ends the script; Python then exits with 1."""
    known = _with_fix(error)
    if known is None:
        sys.__excepthook__(kind, error, traceback)
        return
    note.open(os.getpid(), sys.argv[0], by="script")  # for the editor, as above
    tell_failure(explain(known))


def _tell_instead_of_gunicorn(record: logging.LogRecord) -> bool:
    """Say it in two lines, where gunicorn's worker is about to log what the script has raised.

    Raises:
        SystemExit: that is said, and the worker would only repeat it.
    """
    error = record.exc_info[1] if record.exc_info else None
    known = _with_fix(error) if error is not None else None
    if known is None:
        return True
    tell_failure(explain(known))
    sys.exit(EXIT_DO_NOT_RETRY)


def _with_fix(error: BaseException) -> BaseException | None:
    """The error if it says what to do, or one that does so in its stead; else None."""
    if getattr(error, "fix", None) is not None:
        return error
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if not isinstance(error, ZeroDivisionError) or place is None:
        return None
    # Settings are divided by where they stand, before anything could look at them.
    code, names = place.tb_frame.f_code, place.tb_frame.f_globals
    line = linecache.getline(code.co_filename, place.tb_lineno)
    zeros = [name for name in re.findall(r"\b[A-Z][A-Z_]+\b", line) if names.get(name) == 0]
    if code.co_name != "<module>" or not zeros:
        return None
    return EngineSettingError(
        f"{zeros[0]} must be 1 or more, not 0.", f"set {zeros[0]} in the script to 1 or more"
    )
