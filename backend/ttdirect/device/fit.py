"""Whether a model fits a mesh, found out before minutes are spent on loading it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ttdirect.device.errors import DeviceError
from ttdirect.hardware.models import find_model, shape_from_config

if TYPE_CHECKING:
    from ttdirect.hardware.boards import Board
    from ttdirect.hardware.models import ModelShape

_SECTION = "the-model-does-not-fit"


@dataclass(frozen=True)
class Room:
    """What a model is to be loaded into.

    Args:
        board: what the chips are on.
        rows: of the mesh.
        columns: of the mesh.
        trace_bytes: DRAM of each chip that is set aside for traces.
    """

    board: Board
    rows: int
    columns: int
    trace_bytes: int

    @property
    def dram_bytes(self) -> int:
        """DRAM of all chips that weights and KV cache can have."""
        chips = self.rows * self.columns
        return chips * (self.board.dram_bytes_per_chip - self.trace_bytes)

    def __str__(self) -> str:
        return f"a ({self.rows}, {self.columns}) mesh of {self.board.name} chips"


def check_fit(model: str, cache_tokens: int, room: Room) -> None:
    """Refuse a model that cannot work in this room. One whose shape is not known yet passes.

    Args:
        model: name on the hub, or a folder.
        cache_tokens: size of the KV cache, for all requests together.
        room: where it is to be loaded.

    Raises:
        DeviceError: the heads cannot be shared out to the columns, or the memory is too small.
    """
    name = model.rstrip("/").rpartition("/")[2]
    shape = shape_of(model)
    if shape is None:
        return
    _check_heads(name, shape, room)
    _check_memory(name, shape, cache_tokens, room)


def shape_of(model: str) -> ModelShape | None:
    """Return a model's numbers: from its folder, from what was downloaded, or from our table."""
    config = _read_config(model)
    shape = shape_from_config(config) if config is not None else None
    if shape is not None:
        return shape
    known = find_model(model)
    return known.shape if known else None


def _check_heads(name: str, shape: ModelShape, room: Room) -> None:
    known = find_model(name)
    fewest = known.smallest_mesh if known else 1
    if shape.splits_over(room.columns) and room.rows * room.columns >= fewest:
        return
    possible = [n for n in (1, 2, 4, 8, 16, 32) if n >= fewest and shape.splits_over(n)]
    if shape.splits_over(room.columns):
        what = f"{name} needs a mesh of at least {fewest} chips."
    else:
        what = (
            f"{name} has {shape.heads} attention heads and {shape.kv_heads} key-value heads, which "
            f"cannot be shared out evenly to {room.columns} columns of chips."
        )
    columns = " or ".join(map(str, possible))
    fix = f"set MESH_SHAPE in the script to one row of {columns} chips, or choose another model"
    raise DeviceError("unsupported-model", what, fix, _SECTION)


def _check_memory(name: str, shape: ModelShape, cache_tokens: int, room: Room) -> None:
    if shape.bytes_with(cache_tokens) <= room.dram_bytes:
        return
    cache = cache_tokens * shape.kv_bytes_per_token
    left = (room.dram_bytes - shape.weights_bytes) // shape.kv_bytes_per_token // 1024 * 1024
    smaller = "choose a smaller model, or use more chips"
    raise DeviceError(
        "not-enough-memory",
        f"{name} does not fit: its weights take {_gb(shape.weights_bytes)} in bfloat8_b and a KV "
        f"cache for {cache_tokens:,} tokens {_gb(cache)}, but {room} has {_gb(room.dram_bytes)} "
        "of DRAM.",
        f"lower CACHE_TOKENS in the script to {left}, {smaller}" if left > 0 else smaller,
        _SECTION,
    )


def _read_config(model: str) -> dict[str, Any] | None:
    folder = Path(model).expanduser()
    path = folder / "config.json" if folder.is_dir() else _downloaded_config(model)
    if path is None:
        return None
    try:
        config: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):  # loading will say what is wrong with it
        return None
    return cast("dict[str, Any]", config) if isinstance(config, dict) else None


def _downloaded_config(model: str) -> Path | None:
    """Return the newest config.json of a model in the hub's cache."""
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
    found = cache.glob(f"models--{model.replace('/', '--')}/snapshots/*/config.json")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
