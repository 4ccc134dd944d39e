"""Say in one line each what is wrong with this Python and what to do, before anything is built."""

import sys

OLDEST, NEWEST = (3, 10), (3, 13)

if not OLDEST <= sys.version_info[:2] <= NEWEST:
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit(
        f"error: {sys.executable} is Python {version}; this needs 3.10 to 3.13\n"
        "fix:   make PYTHON=/path/to/python3.11 ..."
    )
try:
    import ensurepip  # noqa: F401 - Debian ships venv without it
except ImportError:
    sys.exit(
        f"error: {sys.executable} cannot create virtual environments\n"
        "fix:   sudo apt-get install python3-venv"
    )
