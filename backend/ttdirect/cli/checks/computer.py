"""The checks of Python, the packages, the device and the script."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import ttdirect
from ttdirect.cli.checks.check import Check
from ttdirect.cli.checks.compiler import check_compiler
from ttdirect.cli.create import DEFAULT_PATH
from ttdirect.cli.errors import CommandError
from ttdirect.cli.tt_metal import TtMetal, find_tt_metal
from ttdirect.script.create import script_state
from ttdirect.script.device import device_nodes, has_ttnn
from ttdirect.script.file import ScriptFileError

if TYPE_CHECKING:
    from ttdirect.script.device import DetectedDevice, Device

_BASE_PACKAGES = ("flask", "gunicorn", "requests")
_MODEL_PACKAGES = ("torch", "safetensors", "tokenizers", "transformers")

_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 10), (3, 13)
_TTNN_PYTHONS = ((3, 10), (3, 12))

USE_ANOTHER_PYTHON = (
    "use the Python environment of the tt-metal clone, or Python 3.10 or 3.12 with ttnn"
)


def check_python(version: tuple[int, int], *, card: bool) -> Check:
    """Check the Python `version`; `card` says whether a Tenstorrent device is in the computer."""
    found = f"{version[0]}.{version[1]} at {sys.executable}"
    if version < _OLDEST_PYTHON:
        return Check("python", "fail", f"{found} is too old", "use Python 3.10 to 3.13")
    if version > _NEWEST_PYTHON:
        return Check("python", "warn", f"{found} is not tested yet", "use Python 3.10 to 3.13")
    if card and version not in _TTNN_PYTHONS and not has_ttnn():
        return Check(
            "python",
            "warn",
            f"{found} has no ttnn packages",
            "use Python 3.10 or 3.12",
        )
    return Check("python", "ok", found)


def check_ttdirect() -> Check:
    """Tell which ttdirect this is and where it lies."""
    return Check("ttdirect", "ok", f"{ttdirect.__version__} at {Path(ttdirect.__file__).parent}")


def check_packages(device: Device) -> list[Check]:
    """Check the packages that a server on `device` needs, one check for each."""
    if device == "cpu":
        model_fix = "pip install 'ttdirect[cpu]'"
    else:
        model_fix = "use the Python environment of the tt-metal clone"
    return [
        *(_check_package(name, "pip install ttdirect") for name in _BASE_PACKAGES),
        *(_check_package(name, model_fix) for name in _MODEL_PACKAGES),
    ]


def _check_package(name: str, fix: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "fail", "is not installed", fix)


def check_device(detected: DetectedDevice) -> Check:
    """Check the device that a server would use."""
    reason = detected.reason.removesuffix(".")
    if device_nodes() and not has_ttnn():
        return Check("device", "warn", reason, USE_ANOTHER_PYTHON)
    return Check("device", "ok", reason)


def check_tt_metal() -> list[Check]:
    """Check the clone of tt-metal, its environment and its compiler; none without a card."""
    if not device_nodes():
        return []
    # Without ttnn the CPU answers, and needs no compiler for kernels.
    try:
        clone = find_tt_metal()
    except CommandError as error:
        clone, found = None, Check("tt-metal", "fail", error.what, error.fix)
    else:
        found = _without_clone() if clone is None else _check_clone(clone)
    return [found, *([check_compiler(clone and clone.folder)] if has_ttnn() else [])]


def _without_clone() -> Check:
    return Check(
        "tt-metal",
        "fail" if has_ttnn() else "warn",
        "not found, and the models of the Generator API are in no package",
        "clone tt-metal at the version of your ttnn, and: export TT_METAL_HOME=<clone>",
    )


def _check_clone(clone: TtMetal) -> Check:
    message = clone.describe()
    if ttnn := clone.ttnn_version():
        message += f", its environment has ttnn {ttnn}"
    if clone.python and not clone.is_active() and not has_ttnn():
        fix = f"use {clone.python}"
        if not clone.has_ttdirect():
            fix = f"{clone.install_command()}; then {fix}"
        return Check("tt-metal", "warn", f"{message}; this Python is another one", fix)
    return Check("tt-metal", "ok", message)


def check_script() -> Check:
    """Check the script where `ttdirect create` writes it."""
    try:
        path = Path(DEFAULT_PATH).expanduser()
        match script_state(path):
            case "absent":
                return Check("script", "ok", f"not at {path} yet", "ttdirect create")
            case "as rendered":
                return Check("script", "ok", f"{path}, as it was created")
            case "changed":
                return Check("script", "ok", f"{path}, with changes of yours")
    except ScriptFileError as error:
        return Check("script", "fail", str(error), error.fix)
    except RuntimeError:  # no home folder
        return Check("script", "warn", "the home folder is not known", "set HOME")
