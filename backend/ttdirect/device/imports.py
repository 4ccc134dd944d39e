"""What of tt-metal cannot be imported, and how to get it."""

from __future__ import annotations

import os
import re
import sys

from ttdirect.device.clone import HOME, find_on_path
from ttdirect.device.errors import DeviceError

_TTNN_PYTHONS = ((3, 10), (3, 12))
"""For which there are wheels on PyPI."""

_INSTALLING = "ttnn-or-tt-metal-is-missing"


def explain_import(error: ImportError) -> DeviceError | None:
    """Return which part of tt-metal is missing, None if it is none of them."""
    module = error.name or ""
    if module == "ttnn":
        return _no_ttnn()
    if module.partition(".")[0] == "models":
        return _no_models(error)
    if match := re.search(r"version `GLIBC_(?P<version>[\d.]+)' not found", str(error)):
        return DeviceError(
            "system-too-old",
            f"ttnn needs glibc {match['version']} or newer, and this system's is older.",
            "use a newer system, such as Ubuntu 22.04, or tt-metal's container image",
            _INSTALLING,
        )
    if "ttnn" in sys.modules and module:
        return DeviceError(
            "missing-requirements",
            f"tt-metal's model code needs {module}, which is not in {sys.executable}.",
            f"pip install -r {_clone_in_words()}/tt_metal/python_env/requirements-dev.txt",
            _INSTALLING,
        )
    return None


def _no_ttnn() -> DeviceError:
    version = sys.version_info[:2]
    if version not in _TTNN_PYTHONS:
        return DeviceError(
            "wrong-python",
            f"{sys.executable} is Python {version[0]}.{version[1]}, for which there is no ttnn.",
            "use the Python environment of the tt-metal clone, or Python 3.10 or 3.12 with "
            "`pip install ttnn`",
            _INSTALLING,
        )
    return DeviceError(
        "no-ttnn",
        f"ttnn is not in {sys.executable}.",
        "use the Python environment of the tt-metal clone, or `pip install ttnn`",
        _INSTALLING,
    )


def _no_models(error: ImportError) -> DeviceError:
    clone = find_on_path()
    if clone is not None:
        return DeviceError(
            "wrong-tt-metal",
            f"The tt-metal clone at {clone} is not as this script expects it: {error}.",
            "check out the tag of the clone that has the version of ttnn (`pip show ttnn`)",
            _INSTALLING,
        )
    models = sys.modules.get("models")
    if models is not None:
        return DeviceError(
            "wrong-pythonpath",
            f"Another package called models hides tt-metal's: {_place_of(models)}.",
            f"put the tt-metal clone first: export PYTHONPATH={_clone_in_words()}",
            _INSTALLING,
        )
    return DeviceError(
        "no-tt-metal",
        "tt-metal's models are not on Python's path; they are in its clone and not in ttnn.",
        f"git clone https://github.com/tenstorrent/tt-metal if it is not here yet, then export "
        f"PYTHONPATH={_clone_in_words()}",
        _INSTALLING,
    )


def _place_of(module: object) -> str:
    path = list(getattr(module, "__path__", [])) or [getattr(module, "__file__", "?")]
    return str(path[0])


def _clone_in_words() -> str:
    return os.environ.get(HOME) or "<the tt-metal clone>"
