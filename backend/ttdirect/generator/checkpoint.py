"""Find a Hugging Face checkpoint and read its tensors, from a folder or from the hub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from safetensors import safe_open

from ttdirect.generator.errors import (
    ModelNotChosenError,
    ModelNotFoundError,
    NotACheckpointError,
)
from ttdirect.generator.hub import get_snapshot

if TYPE_CHECKING:
    from torch import Tensor

DEMO = "demo"


@dataclass(frozen=True)
class ModelSource:
    """Where a model lies, and the name to show for it."""

    name: str
    folder: Path


def find_model(hf_model: str | None = None) -> ModelSource:
    """Return the model that `hf_model` or the environment variable HF_MODEL names.

    A folder, a hub id (downloaded through `huggingface_hub`, with HF_TOKEN if set), or `demo`, the
    model that ships with ttdirect.

    Raises:
        ModelNotChosenError: neither is set.
        ModelNotFoundError: no such folder and no such model on the hub, or the hub is out of reach.
        GatedModelError: the model's licence must be accepted first.
        DiskFullError: the disk has no room for it.
    """
    chosen = hf_model or os.environ.get("HF_MODEL", "")
    if not chosen:
        raise ModelNotChosenError
    if chosen == DEMO:
        return _find_demo()
    folder = Path(chosen).expanduser()
    if folder.is_dir():
        return ModelSource(folder.resolve().name, folder)
    if folder.is_absolute() or chosen.count("/") != 1 or chosen.startswith((".", "~")):
        raise ModelNotFoundError(
            f"HF_MODEL names {chosen!r}, and there is no such folder.",
            "Set HF_MODEL to a folder with a checkpoint, to a hub id such as "
            "HuggingFaceTB/SmolLM2-135M-Instruct, or to demo.",
        )
    return ModelSource(chosen.rsplit("/", 1)[-1], get_snapshot(chosen))


def _find_demo() -> ModelSource:
    from ttdirect import demo_model  # noqa: PLC0415  only those who ask for it need it

    folder = getattr(demo_model, "CHECKPOINT", None)
    if folder is None or not Path(folder).is_dir():
        raise ModelNotFoundError(
            "HF_MODEL is demo, and this installation has no demo model.",
            "Install ttdirect again, or set HF_MODEL to a folder or a hub id.",
        )
    return ModelSource("ttdirect-demo", Path(folder))


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`, or {} where there is no such file.

    Raises:
        NotACheckpointError: the file is not a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotACheckpointError(
            f"{path} is not valid JSON ({error}).", "Download the checkpoint again."
        ) from error
    if not isinstance(found, dict):
        raise NotACheckpointError(f"{path} is not a JSON object.", "Download the checkpoint again.")
    return cast("dict[str, Any]", found)


def read_config(folder: Path) -> dict[str, Any]:
    """Return `config.json` of a checkpoint folder.

    Raises:
        NotACheckpointError: there is none, or it is not JSON.
    """
    config = read_json(folder / "config.json")
    if not config:
        raise NotACheckpointError(
            f"{folder} has no config.json, so it is not a Hugging Face checkpoint.",
            "Set HF_MODEL to the folder that holds config.json, tokenizer.json and *.safetensors.",
        )
    return config


class CheckpointTensors(Mapping[str, "Tensor"]):
    """The tensors of a checkpoint by name, read from disk when asked for.

    Each lies in a mapping of its file that ends with the tensor, so that the pages of what was
    loaded do not stay in this process.

    Raises:
        NotACheckpointError: there are no safetensors files, one of them is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.files = _find_shards(folder)
        self._shards: dict[str, Path] = {}
        for path in self.files:
            with _open(path) as shard:
                self._shards.update(dict.fromkeys(shard.keys(), path))

    def __getitem__(self, name: str) -> Tensor:
        with _open(self._shards[name]) as shard:
            return shard.get_tensor(name)

    def __contains__(self, name: object) -> bool:
        return name in self._shards

    def __iter__(self) -> Iterator[str]:
        return iter(self._shards)

    def __len__(self) -> int:
        return len(self._shards)


def _find_shards(folder: Path) -> list[Path]:
    index = read_json(folder / "model.safetensors.index.json")
    names = sorted(set(index.get("weight_map", {}).values()))
    files = [folder / name for name in names] or sorted(folder.glob("*.safetensors"))
    if not files:
        raise NotACheckpointError(
            f"{folder} has no *.safetensors files.",
            "Download the checkpoint again; older *.bin weights must be converted first.",
        )
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise NotACheckpointError(
            f"{folder} lacks {', '.join(missing)}.", "Download the checkpoint again."
        )
    return files


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except Exception as error:  # safetensors raises its own type, and OSError
        raise NotACheckpointError(
            f"{path} cannot be read ({error}).", "Download the checkpoint again."
        ) from error
