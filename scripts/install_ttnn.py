"""Install ttnn's wheel into an environment of CPython 3.12, for tests without a card.

python scripts/install_ttnn.py .cache/ttnn requirements/ttnn.txt

Where that cannot be done it says why, and those tests are skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = (3, 12)
"""The wheels of ttnn are for 3.10 and 3.12."""


def find_python() -> str | None:
    """A Python of that version: this one, the one on PATH, or one of pyenv's."""
    name = "python{}.{}".format(*VERSION)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    own = sorted(pyenv.glob("versions/{}.{}*/bin/python".format(*VERSION)))
    for candidate in (sys.executable, shutil.which(name), *map(str, reversed(own))):
        if candidate and _is_that_version(candidate):
            return candidate
    return None


def _is_that_version(python: str) -> bool:
    # A shim of pyenv is there for versions that are not chosen, too, and fails.
    code = f"import sys; sys.exit(sys.version_info[:2] != {VERSION})"
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def install(folder: Path, requirements: Path) -> str:
    """Why it could not be installed; empty if it was."""
    python = find_python()
    if python is None:
        return "there is no CPython {}.{} here".format(*VERSION)
    commands = (
        [python, "-m", "venv", "--clear", str(folder)],
        [
            str(folder / "bin" / "python"),
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--only-binary", ":all:", "--requirement", str(requirements)),
        ],
    )
    for command in commands:
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
            return f"{' '.join(command[:4])} failed: {last}"
    return ""


if __name__ == "__main__":
    target = Path(sys.argv[1])
    problem = install(target, Path(sys.argv[2]))
    if problem:
        print(f"The tests with ttnn's wheel will be skipped: {problem}.", file=sys.stderr)
    else:
        (target / ".installed").touch()
