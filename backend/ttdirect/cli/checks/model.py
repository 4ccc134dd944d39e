"""The check of the model's files."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdirect.cli.checks.check import Check
from ttdirect.demo_model import CHECKPOINT

if TYPE_CHECKING:
    from ttdirect.script.device import Device

_INDEX = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
# The format's own limit.
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class FoundModel:
    """The check of the model, and its folder and the size of its weight files if all are here."""

    check: Check
    folder: Path | None = None
    weights_bytes: int | None = None


def find_model(name: str, device: Device) -> FoundModel:
    """Check the model that a server would load; `name` is what HF_MODEL says, or empty."""
    try:
        return _find(name, device)
    except OSError as error:
        return _missing(f"{name}: {error.strerror}", "set HF_MODEL to a folder or a hub name")


def _find(name: str, device: Device) -> FoundModel:
    if name == "demo" or (not name and device == "cpu"):
        return _check_folder(CHECKPOINT, "the demo model", fix="install ttdirect again")
    if not name:
        return _missing("HF_MODEL is not set", "export HF_MODEL=meta-llama/Llama-3.1-8B-Instruct")
    folder = Path(name)
    if folder.is_dir():
        return _check_folder(folder, str(folder), fix="copy or download the model again")
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        return _missing(f"there is no folder {name}", "set HF_MODEL to a folder or a hub name")
    return _check_hub_model(name)


def _check_hub_model(name: str) -> FoundModel:
    snapshots = hub_cache() / f"models--{name.replace('/', '--')}" / "snapshots"
    found = [folder for folder in snapshots.glob("*") if (folder / "config.json").exists()]
    if found:
        newest = max(found, key=lambda folder: folder.stat().st_mtime)
        return _check_folder(newest, f"{name} in the hub cache", fix=f"hf download {name}")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return _missing(
            f"{name} is not in the hub cache, and HF_HUB_OFFLINE forbids to download it",
            f"HF_HUB_OFFLINE=0 hf download {name}",
        )
    message = f"{name} is not in the hub cache; the server's first start downloads it"
    return FoundModel(Check("model", "warn", message, f"hf download {name}"))


def hub_cache() -> Path:
    """Return the folder in which the hub's library keeps what was downloaded."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def _check_folder(folder: Path, title: str, *, fix: str) -> FoundModel:
    """Check that a folder holds all that loading it needs."""
    if not (folder / "config.json").is_file():
        return _missing(f"{title}: no config.json", fix)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        return _missing(f"{title}: no tokenizer ({', '.join(_TOKENIZERS)})", fix)
    try:
        shards = list_shards(folder)
    except (OSError, ValueError):
        return _missing(f"{title}: {_INDEX} cannot be read", fix)
    if not shards:
        return _missing(f"{title}: no *.safetensors", fix)
    problems = [problem for shard in shards if (problem := _shard_problem(shard))]
    if problems:
        return _missing(f"{title}: {problems[0]}", fix)
    size = sum(shard.stat().st_size for shard in shards)
    return FoundModel(Check("model", "ok", f"{title}, {gib(size)}"), folder, size)


def list_shards(folder: Path) -> list[Path]:
    """Return the weight files that should be there.

    Raises:
        OSError: If the index cannot be read.
        ValueError: If it is not an index.
    """
    index = folder / _INDEX
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    content = json.loads(index.read_bytes())
    try:
        return sorted({folder / shard for shard in content["weight_map"].values()})
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{index} has no weight_map") from error


def _shard_problem(shard: Path) -> str:
    """Return why a weight file cannot be whole, empty if it seems to be.

    A safetensors file begins with the length of its header, and the header tells where the last
    tensor ends: enough to find a download that broke off, without reading the weights.
    """
    try:
        size = shard.stat().st_size
        whole = _expected_size(shard, size)
    except OSError:
        return f"{shard.name} is missing"
    except (AttributeError, KeyError, TypeError, ValueError):
        return f"{shard.name} is no safetensors file; perhaps only a pointer to one"
    return "" if size == whole else f"{shard.name} has {size} of its {whole} bytes"


def _expected_size(shard: Path, size: int) -> int:
    """Return how long a safetensors file says it is.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: If it is something else.
    """
    start, tensors = read_header(shard, size)
    return start + max((entry["data_offsets"][1] for entry in tensors.values()), default=0)


def read_header(shard: Path, size: int) -> tuple[int, dict[str, Any]]:
    """Return where the tensors of a safetensors file of `size` bytes begin, and what they are.

    Raises:
        AttributeError, TypeError, ValueError: If it is something else.
    """
    with shard.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size, _LONGEST_HEADER):
            raise ValueError(f"{shard} cannot have a header of {length} bytes")
        header = json.loads(file.read(length))
    return 8 + length, {name: it for name, it in header.items() if name != "__metadata__"}


def _missing(message: str, fix: str) -> FoundModel:
    return FoundModel(Check("model", "fail", message, fix))


def gib(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"
