"""The check of sfpi, which ttnn compiles kernels with, and which no Python package brings."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from ttdirect.cli.checks.check import Check
from ttdirect.device.clone import HOME

if TYPE_CHECKING:
    from collections.abc import Iterable

SYSTEM = Path("/opt/tenstorrent/sfpi")
"""Where its packages for Debian and Fedora put it."""

_PROGRAM = Path("compiler", "bin", "riscv-tt-elf-g++")
_RELEASES = "https://github.com/tenstorrent/sfpi/releases"


def check_compiler(clone: Path | None) -> Check:
    """Check that the compiler is where ttnn looks for it, in the version that ttnn wants.

    Args:
        clone: of tt-metal, None if there is none. A ttnn that was built there looks there.
    """
    roots = [*_roots_of_ttnn(), *([clone] if clone else [])]
    wanted = next((version for version in map(_wanted_version, roots) if version), "")
    name = f"sfpi {wanted}".strip()
    places = [*(root / "runtime" / "sfpi" for root in roots), SYSTEM]
    folder = next((place for place in places if (place / _PROGRAM).exists()), None)
    fix = f"install the package of {name} from {_RELEASES}"
    if folder is None:
        return Check("compiler", "fail", f"{name} is not at {_either(places)}", fix)
    found = _version_of(folder / _PROGRAM)
    if wanted and found and found != wanted:
        return Check(
            "compiler", "warn", f"sfpi {found} at {folder}, but ttnn was made for {wanted}", fix
        )
    return Check("compiler", "ok", f"sfpi {found or 'of unknown version'} at {folder}")


def _roots_of_ttnn() -> list[Path]:
    """Where a wheel of ttnn has its files, or where a variable says that they are."""
    # Nothing is imported: the folder of a package tells.
    spec = importlib.util.find_spec("ttnn")
    wheel = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    named = [os.environ.get(name) for name in ("TT_METAL_RUNTIME_ROOT", HOME)]
    return [*(Path(folder) for folder in named if folder), *wheel]


def _wanted_version(root: Path) -> str:
    try:
        text = (root / "tt_metal" / "sfpi-version").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    match = re.search(r"(?m)^sfpi_version='?([\d.]+)", text)
    return match[1] if match else ""


def _version_of(program: Path) -> str:
    try:
        said = subprocess.run(  # noqa: S603
            [str(program), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    match = re.search(rb"tenstorrent/sfpi:([\d.]+)", said)
    return match[1].decode() if match else ""


def _either(places: Iterable[Path]) -> str:
    return " or ".join(dict.fromkeys(map(str, places)))
