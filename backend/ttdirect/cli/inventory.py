"""The models that a server could load here: those on this computer, and those worth a download."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ttdirect.cli.checks.model import FoundModel, find_model, hub_cache, list_shards, read_header
from ttdirect.cli.json_values import json_object
from ttdirect.cli.judgement import Judge, Judgement
from ttdirect.hardware.catalogue import CATALOGUE, Checkpoint, find_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Origin = Literal["shipped", "cached", "folder", "recommended", "named"]

SHIPPED = "demo"
"""What HF_MODEL says for the model that ships."""

# A computer without a card is not told of what needs a server room, unless it would fit.
_COMMON_PARAMETERS = 10_000_000_000


@dataclass(frozen=True)
class ModelEntry:
    """One model, and what is known about it on this computer.

    Args:
        id: what HF_MODEL would say.
        origin: why it is in the list; `named` was asked for and is not here.
        is_here: whether its files are on this computer, complete.
        parameters: how many, None where that is not known.
        download_bytes: size of its weight files, None where that is not known.
        needs_account: whether the hub gives it only to those who ask for it.
        judgement: whether it would work here.
    """

    id: str
    origin: Origin
    is_here: bool
    parameters: int | None
    download_bytes: int | None
    needs_account: bool
    judgement: Judgement = field(default_factory=Judgement)


def list_models(judge: Judge, named: Sequence[str]) -> list[ModelEntry]:
    """Return the shipped model, those that were named, those in the cache, and those we recommend.

    Args:
        judge: knows this computer.
        named: folders and names on the hub that somebody asks about.
    """
    entries = [_shipped(judge), *(_named(name, judge) for name in named)]
    entries += [_on_disk(name, found, "cached", judge) for name, found in _cached_models()]
    entries += [_on_hub(checkpoint, "recommended", judge) for checkpoint in CATALOGUE]
    # The first entry of a model knows most about it.
    unique = {entry.id.lower(): entry for entry in reversed(entries)}
    order = [entry.id.lower() for entry in entries]
    listed = [unique.pop(name) for name in order if name in unique]
    return [entry for entry in listed if _is_worth_a_line(entry, judge)]


def _shipped(judge: Judge) -> ModelEntry:
    entry = _on_disk(SHIPPED, find_model(SHIPPED, "cpu"), "shipped", judge)
    if judge.device != "tenstorrent":
        return entry
    return replace(entry, judgement=Judgement("no", "it answers on the CPU only"))


def _named(name: str, judge: Judge) -> ModelEntry:
    found = find_model(name, judge.device)
    if found.check.status == "ok" and found.folder is not None:
        origin = "folder" if Path(name).is_dir() else "cached"
        return _on_disk(name, found, origin, judge)
    checkpoint = find_checkpoint(name)
    if checkpoint is not None:
        return _on_hub(checkpoint, "named", judge)
    if Path(name).is_absolute():
        return ModelEntry(
            name, "folder", False, None, None, False, Judgement(reason=found.check.message)
        )
    return ModelEntry(name, "named", False, None, None, False, judge.unknown(name))


def _on_hub(checkpoint: Checkpoint, origin: Origin, judge: Judge) -> ModelEntry:
    return ModelEntry(
        id=checkpoint.hub_name,
        origin=origin,
        is_here=False,
        parameters=checkpoint.parameters,
        download_bytes=checkpoint.download_bytes,
        needs_account=checkpoint.needs_account,
        judgement=judge.checkpoint(checkpoint),
    )


def _on_disk(name: str, found: FoundModel, origin: Origin, judge: Judge) -> ModelEntry:
    folder = found.folder or Path()
    config = _read_config(folder)
    return ModelEntry(
        id=name,
        origin=origin,
        is_here=True,
        parameters=None if "quantization_config" in config else _count_parameters(folder),
        download_bytes=found.weights_bytes,
        needs_account=False,
        judgement=judge.folder(name, folder, config),
    )


def _cached_models() -> Iterator[tuple[str, FoundModel]]:
    """Yield the name and the files of each complete language model in the hub's cache."""
    for folder in sorted(hub_cache().glob("models--*--*")):
        name = folder.name.removeprefix("models--").replace("--", "/")
        found = find_model(name, "cpu")
        if found.folder is None or found.check.status != "ok":
            continue
        if "ForCausalLM" in str(_read_config(found.folder).get("architectures")):
            yield name, found


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        return json_object((folder / "config.json").read_bytes())
    except OSError:
        return {}


def _count_parameters(folder: Path) -> int | None:
    try:
        return sum(
            prod(tensor["shape"])
            for shard in list_shards(folder)
            for tensor in read_header(shard, shard.stat().st_size)[1].values()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_worth_a_line(entry: ModelEntry, judge: Judge) -> bool:
    if entry.origin != "recommended":
        return True
    if judge.device == "tenstorrent":
        return entry.judgement.is_supported
    return entry.judgement.fits != "no" or (entry.parameters or 0) < _COMMON_PARAMETERS
