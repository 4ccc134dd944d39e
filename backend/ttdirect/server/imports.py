"""What keeps the script from starting is said in two lines, not in a traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from ttdirect.device import clone, recognise
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
    except ImportError as error:
        known = recognise(error)
        if known is None:
            failure = Failure("missing-packages", f"{error}, in {sys.executable}.", PORTABLE_FIX)
        else:
            failure = Failure(known.code, str(known), known.fix)
        if not os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
            # For the editor that started this script and waits for its note.
            note.open(os.getpid(), sys.argv[0], by="script")
        tell_failure(failure)
        sys.exit(EXIT_DO_NOT_RETRY)
    sys.excepthook = _tell_uncaught


def _tell_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Print what to do about an error that ends the script; Python then exits with 1."""
    if getattr(error, "fix", None) is None:
        sys.__excepthook__(kind, error, traceback)
        return
    note.open(os.getpid(), sys.argv[0], by="script")  # for the editor, as above
    tell_failure(explain(error))
