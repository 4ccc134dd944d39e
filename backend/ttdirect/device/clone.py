"""The tt-metal clone: where `models.tt_transformers` comes from, which is in no wheel."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

HOME = "TT_METAL_HOME"


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


def put_on_path() -> None:
    """Make `models` importable by TT_METAL_HOME where PYTHONPATH was forgotten.

    In front, because a folder called `models` elsewhere is what hides the clone most often.
    """
    home = os.environ.get(HOME)
    if home and find_on_path() is None and find_on_path([home]) is not None:
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
