"""Finds the C library for this processor, or builds it where a compiler is at hand.

    python backend/ttdirect/generator/native/build.py

builds it into this folder: that is what `make` does, and what a wheel carries. Without a library
everything still works, through PyTorch.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCES = ("decoder.c", "attention.c", "linear.c", "quantise.c", "team.c")
FLAGS = (
    *("-std=gnu11", "-O3", "-fno-math-errno", "-fPIC", "-shared"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-psabi"),  # no vector crosses a library's border
)

VARIANTS = {
    # name: (compiler's options, what /proc/cpuinfo has to list), best first
    "x86-64-v4": (
        ("-march=x86-64-v4", "-mavx512vnni"),
        ("avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd", "avx512_vnni"),
    ),
    "x86-64-v3": (("-march=x86-64-v3",), ("avx2", "fma", "bmi2", "f16c")),
}
"""Builds for the processors that we know; an older or another one uses PyTorch."""

DISABLE_VARIABLE = "TTDIRECT_NATIVE"
"""Set to `off`, models run as on a processor without a library."""


def find_library() -> Path | None:
    """Return the library that this processor runs fastest, or None."""
    if os.environ.get(DISABLE_VARIABLE, "").lower() in {"off", "0", "no", "false"}:
        return None
    found = (library_path(name) for name in supported_variants())
    return next((path for path in found if path.exists()), None)


def library_path(variant: str) -> Path:
    """Return where a variant's library is."""
    return FOLDER / f"decoder.{variant}.so"


def supported_variants() -> list[str]:
    """Return the names of the variants whose instructions this processor has, best first."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return []
    flags = _processor_flags()
    return [name for name, (_, needed) in VARIANTS.items() if flags.issuperset(needed)]


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()[2:]}


def build(compiler: str) -> list[Path]:
    """Compile every variant into this folder.

    Raises:
        subprocess.CalledProcessError: the compiler failed, and has said why.
    """
    built: list[Path] = []
    for variant, (options, _) in VARIANTS.items():
        target = library_path(variant)
        draft = target.with_suffix(f".{os.getpid()}")
        command = [compiler, *FLAGS, *options, "-o", str(draft), *SOURCES]
        subprocess.run(command, cwd=FOLDER, check=True)  # noqa: S603 - our own words
        draft.replace(target)  # at once: a server may be loading the old one
        built.append(target)
    return built


def main() -> None:
    """Build where that is possible, and say where it is not."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or platform.machine() != "x86_64" or compiler is None:
        print("note:  no C compiler for this machine: quantised models run through PyTorch")
        return
    for path in build(compiler):
        print(f"built {path.name}")


if __name__ == "__main__":
    main()
