"""Which shape tt-metal's Generator has in a clone, found in a process of the clone's own Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import ttdirect

if TYPE_CHECKING:
    from ttdirect.cli.tt_metal import TtMetal

# Importing it takes PyTorch and ttnn, seconds and more; no device is opened. The extension gives
# the whole report a minute.
_SECONDS = 40.0
_MARK = "era: "
_PROGRAM = f"""\
from models.tt_transformers.tt.generator import Generator
from ttdirect.engine.eras import interface_of
print("{_MARK}" + interface_of(Generator).era.value)
"""


def find_era(clone: TtMetal) -> str:
    """Return the era (`engine/eras.py`), or "not known: " and why it cannot be told."""
    python = str(clone.python or sys.executable)
    path = [str(clone.folder), str(Path(ttdirect.__file__).parents[1])]
    try:
        done = subprocess.run(  # noqa: S603
            [python, "-c", _PROGRAM],
            cwd=clone.folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not known: importing it took more than {_SECONDS:.0f} s"
    except OSError as error:
        return f"not known: {python} does not run ({error.strerror})"
    told = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if told:
        return told[-1].removeprefix(_MARK)
    said = done.stderr.strip().splitlines()
    return f"not known: {said[-1] if said else f'{python} has ended with {done.returncode}'}"
