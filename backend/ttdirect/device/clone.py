"""The tt-metal clone: where `models.tt_transformers` comes from, which is in no wheel."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

HOME = "TT_METAL_HOME"

USUAL_FOLDERS = ("~/tt-metal", "/opt/tt-metal", "/tt-metal")
"""Where a clone lies that nobody named: where tt-metal's own instructions make it, and where images
for containers have it. The same as in the extension's `environment/ttMetal.ts`."""


class UsualFolder(NamedTuple):
    """A clone in one of the usual folders, and that folder's name as people write it."""

    folder: Path
    name: str


def find_on_path(entries: list[str] | None = None) -> Path | None:
    """Return the clone that an import of `models` would use; nothing is imported.

    Args:
        entries: folders to look in; None is Python's own path.
    """
    models = PathFinder.find_spec("models", entries)
    for location in (models and models.submodule_search_locations) or ():
        if (Path(location) / "tt_transformers").is_dir():
            return Path(location).parent
    return None


def find_in_usual_folders() -> UsualFolder | None:
    """Return the first usual folder that is a clone."""
    for name in USUAL_FOLDERS:
        folder = Path(os.path.expanduser(name))  # noqa: PTH111 which raises nothing without a home
        if (folder / "models" / "tt_transformers").is_dir():
            return UsualFolder(folder, name)
    return None


def put_on_path() -> None:
    """Make `models` importable where PYTHONPATH was forgotten: by TT_METAL_HOME, or a usual folder.

    In front, because a folder called `models` elsewhere is what hides the clone most often.
    """
    if find_on_path() is not None:
        return
    usual = find_in_usual_folders()
    home = os.environ.get(HOME) or (str(usual.folder) if usual else "")
    if home and find_on_path([home]) is not None:
        os.environ[HOME] = home  # tt-metal's own code reads it, too
        sys.path.insert(0, home)


def enter() -> None:
    """Make the clone the working directory; a model's folder in HF_MODEL stays the same one.

    Older versions find their model parameters by paths relative to the clone. All of them keep
    converted weights in `model_cache/` below the working directory if TT_CACHE_PATH is not set, so
    this also finds what tt-metal's demos have converted.
    """
    package = sys.modules.get("models.tt_transformers")
    if package is None:  # the script was pointed at another Generator
        return
    model = os.environ.get("HF_MODEL")
    if model and Path(model).expanduser().is_dir():
        os.environ["HF_MODEL"] = str(Path(model).expanduser().resolve())
    os.chdir(Path(next(iter(package.__path__))).parents[1])
