"""Install ttnn's wheel into an environment of CPython 3.12, for tests without a card.

python scripts/install_ttnn.py .cache/ttnn requirements/ttnn.txt

Where that cannot be done it says why, and those tests are skipped. With REQUIRE_TTNN=1, as in CI,
it is an error, and the tests fail: skipped, they would look as if they had passed.
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


def main(folder: Path, requirements: Path, *, is_required: bool) -> int:
    """Install, say what is wrong if anything is, and return the exit code."""
    problem = install(folder, requirements)
    if not problem:
        (folder / ".installed").touch()
        return 0
    if not is_required:
        print(f"The tests with ttnn's wheel will be skipped: {problem}.", file=sys.stderr)
        return 0
    print(f"error: ttnn's wheel must be here for its tests, but {problem}", file=sys.stderr)
    print(
        "fix:   put CPython {}.{} on PATH and let pip reach an index that has ttnn; or unset "
        "REQUIRE_TTNN to skip these tests".format(*VERSION),
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    required = os.environ.get("REQUIRE_TTNN", "") not in ("", "0")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), is_required=required))
