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

_FIX_OF_VERSION = "check out the tag of the clone that has the version of ttnn (`pip show ttnn`)"


def explain_import(error: ImportError | AttributeError) -> DeviceError | None:
    """Return which part of tt-metal is missing or of another version, None if it is none of them.

    A clone that is newer than ttnn imports what is not there, or asks a module of ttnn for it.
    """
    if _is_of_another_version(error):
        return _other_version(error)
    module = (error.name or "") if isinstance(error, ImportError) else ""
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


def _is_of_another_version(error: ImportError | AttributeError) -> bool:
    if isinstance(error, AttributeError):
        return str(error).startswith("module 'ttnn")
    return (error.name or "").partition(".")[0] == "ttnn" and "ttnn" in sys.modules


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


def _no_models(error: Exception) -> DeviceError:
    clone = find_on_path()
    if clone is not None:
        return DeviceError(
            "wrong-tt-metal",
            f"The tt-metal clone at {clone} is not as this script expects it: {error}.",
            _FIX_OF_VERSION,
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


def _other_version(error: Exception) -> DeviceError:
    return DeviceError(
        "wrong-tt-metal",
        f"The tt-metal clone at {find_on_path() or _clone_in_words()} does not fit this ttnn: "
        f"{error}.",
        _FIX_OF_VERSION,
        _INSTALLING,
    )


def _place_of(module: object) -> str:
    path = list(getattr(module, "__path__", [])) or [getattr(module, "__file__", "?")]
    return str(path[0])


def _clone_in_words() -> str:
    return os.environ.get(HOME) or "<the tt-metal clone>"
