"""The clone of tt-metal on this computer: where it is, which version, and its Python."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ttdirect.cli.errors import CommandError
from ttdirect.device.clone import HOME, find_in_usual_folders, find_on_path

_GENERATOR = Path("models", "tt_transformers")


@dataclass(frozen=True)
class TtMetal:
    """A clone that holds `models.tt_transformers`.

    Args:
        folder: its root.
        named_by: the option, variable or folder that led to it.
    """

    folder: Path
    named_by: str

    @property
    def python(self) -> Path | None:
        """The Python of the environment that tt-metal's create_venv.sh makes, if it is there."""
        python = self._environment / "bin" / "python"
        return python if os.access(python, os.X_OK) else None

    def is_active(self) -> bool:
        """Return whether this process runs in that environment."""
        return self._environment.resolve() == Path(sys.prefix).resolve()

    def version(self) -> str:
        """Return version and commit as git tells them, else what files say, else "".

        For example "v0.61.0-14-gd9d95fa3c0 (d9d95fa3c0)".
        """
        described = self._git("describe", "--tags", "--always")
        commit = self._git("rev-parse", "--short=10", "HEAD")
        if described and commit:
            return f"{described} ({commit})"
        # A copy without git's folder, or one that git will not read as another user owns it.
        first = _first_line(self.folder / "VERSION") or _first_line(self.folder / ".git" / "HEAD")
        return first.removeprefix("ref: refs/heads/")

    def is_changed(self) -> bool:
        """Return whether git knows of changes to its models; False where git cannot tell."""
        return bool(self._git("status", "--porcelain", "--untracked-files=no", "--", "models"))

    def ttnn_version(self) -> str:
        """Return the version of ttnn in the environment, empty if it has none there."""
        for folder in self._site_packages():
            for info in folder.glob("ttnn-*.dist-info"):
                return info.name.removeprefix("ttnn-").removesuffix(".dist-info")
        return ""

    def has_ttdirect(self) -> bool:
        """Return whether the environment has this package."""
        return any(any(folder.glob("ttdirect-*.dist-info")) for folder in self._site_packages())

    def describe(self) -> str:
        """Return where it is, which version, and whether it has an environment."""
        version = self.version() or "version unknown"
        lack = "" if self.python else ", without a python_env"
        return f"{version} at {self.folder} (named by {self.named_by}){lack}"

    def variables(self) -> list[str]:
        """Return the assignments that a command needs in front, none if the clone is found."""
        if find_on_path() == self.folder and os.environ.get(HOME):
            return []
        folder = shlex.quote(str(self.folder))
        return [f"{HOME}={folder}", f"PYTHONPATH={folder}"]

    def install_command(self) -> str:
        """Return the shell command that installs our base packages and moves no version.

        Everything that is there becomes a constraint, so pip refuses rather than changes it. Plain
        `name==version` lines: `pip freeze` also writes links, which constraints may not have.
        """
        python = shlex.quote(str(self._environment / "bin" / "python"))
        pins = shlex.quote(str(self._environment / "pins.txt"))
        pip, on = f"{python} -m pip", ""
        if not any((folder / "pip").is_dir() for folder in self._site_packages()):
            # Environments that uv has made, as newer versions of create_venv.sh do, have no pip.
            pip, on = "uv pip", f" --python {python}"
        return (
            f"{pip} list{on} --format=freeze --exclude ttdirect > {pins} && "
            f"{pip} install{on} --constraint {pins} {shlex.quote(_requirement())}"
        )

    @property
    def _environment(self) -> Path:
        return self.folder / "python_env"

    def _site_packages(self) -> list[Path]:
        return sorted((self._environment / "lib").glob("python3.*/site-packages"))

    def _git(self, *arguments: str) -> str:
        git = shutil.which("git")
        if git is None or not (self.folder / ".git").exists():
            return ""
        try:
            answer = subprocess.run(  # noqa: S603
                [git, "-C", str(self.folder), *arguments],
                capture_output=True,
                timeout=5,
                check=True,
                stdin=subprocess.DEVNULL,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return ""
        return answer[:200].decode("utf-8", "replace").strip()


def find_tt_metal(flag: str | None = None) -> TtMetal | None:
    """Return the clone: of the option, of TT_METAL_HOME, on Python's path, or in a usual folder.

    Args:
        flag: the value of `--tt-metal`.

    Raises:
        CommandError: What a person named is no clone of tt-metal.
    """
    for folder, named_by in ((flag, "--tt-metal"), (os.environ.get(HOME), HOME)):
        if folder:
            return _require(Path(folder).expanduser(), named_by)
    if on_path := find_on_path():
        return TtMetal(on_path.resolve(), "PYTHONPATH")
    usual = find_in_usual_folders()
    return TtMetal(usual.folder, usual.name) if usual else None


def _require(folder: Path, named_by: str) -> TtMetal:
    if (folder / _GENERATOR).is_dir():
        return TtMetal(folder.resolve(), named_by)
    raise CommandError(
        f"{folder} has no {_GENERATOR}, but {named_by} names it as tt-metal",
        fix="name the folder that you have cloned tt-metal into, at the version of your ttnn",
    )


def _requirement() -> str:
    """Return what pip shall install: the wheel or folder that this package came from, if any."""
    try:
        recorded = metadata.distribution("ttdirect").read_text("direct_url.json")
        url = urlsplit(str(json.loads(recorded or "{}").get("url", "")))
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return "ttdirect"
    origin = Path(unquote(url.path))
    return str(origin) if url.scheme == "file" and origin.exists() else "ttdirect"


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.readline(200).decode("utf-8", "replace").strip()
    except OSError:
        return ""
