"""Whether a model would work on this computer: family, memory, and what is published about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ttdirect.cli.checks import memory
from ttdirect.cli.checks.hardware import room_for, used_preset
from ttdirect.cli.checks.memory import INTEGER_FAMILIES, Sizes, need_of, what_it_needs
from ttdirect.cli.checks.model import gib
from ttdirect.cli.json_values import text_in
from ttdirect.device.errors import DeviceError
from ttdirect.device.fit import check_fit
from ttdirect.hardware.models import find_model, shape_from_config
from ttdirect.hardware.published import published
from ttdirect.script.device import detect_device
from ttdirect.script.render import default_limits

if TYPE_CHECKING:
    from pathlib import Path

    from ttdirect.cli.checks.memory import Need
    from ttdirect.hardware.boards import Board
    from ttdirect.hardware.catalogue import Checkpoint
    from ttdirect.hardware.models import ModelShape
    from ttdirect.hardware.readings import Hardware
    from ttdirect.script.device import Device

Fits = Literal["yes", "tight", "no", "unknown"]


@dataclass(frozen=True)
class Judgement:
    """What a model would do here.

    Args:
        fits: whether weights and KV cache have room; `tight` leaves little for all else.
        reason: why, in a sentence.
        is_supported: whether it is of a kind that is fast and tested on the device.
        memory_bytes: what weights and KV cache take, None where that is not known.
        precision: in which the weights would be held, empty where that is not known.
        tokens_per_second: what is published for one request on this system, if anything is.
    """

    fits: Fits = "unknown"
    reason: str = ""
    is_supported: bool = False
    memory_bytes: int | None = None
    precision: str = ""
    tokens_per_second: float | None = None


class Judge:
    """Knows the device that would answer and the memory that it has.

    Raises:
        UsageError: a setting of the environment is wrong.
    """

    def __init__(self, hardware: Hardware) -> None:
        self.device: Device = detect_device().device
        self._hardware = hardware
        self._board = next((it.board for it in hardware.boards if it.board), None)
        self._free = memory.available_bytes()

    @property
    def system(self) -> str | None:
        """What tt-metal calls the boards that would answer, None for a CPU."""
        preset = used_preset(self._hardware) if self.device == "tenstorrent" else None
        return preset.name if preset else None

    @property
    def memory_bytes(self) -> int | None:
        """The memory that a model can have, None where that is not known."""
        if self.device != "tenstorrent":
            return self._free
        return self._board and room_for(self._hardware, self._board, "").dram_bytes

    def checkpoint(self, checkpoint: Checkpoint) -> Judgement:
        """Judge a checkpoint that is not here."""
        if self.device == "tenstorrent":
            return self._on_card(checkpoint.hub_name, checkpoint.shape)
        sizes = Sizes(
            checkpoint.family,
            checkpoint.layer_parameters,
            checkpoint.embedding_parameters,
            checkpoint.is_tied,
            2 * checkpoint.shape.layers * checkpoint.shape.kv_heads * checkpoint.shape.head_dim,
        )
        return self._in_memory(checkpoint.family, need_of(sizes, os.environ))

    def folder(self, name: str, folder: Path, config: dict[str, Any]) -> Judgement:
        """Judge a checkpoint on this computer, by its config and the shapes in its files."""
        if self.device == "tenstorrent":
            return self._on_card(name, shape_from_config(config))
        if "quantization_config" in config:
            return Judgement(
                "no", "its weights are quantised already, which this server does not load"
            )
        return self._in_memory(text_in(config, "model_type"), what_it_needs(folder, os.environ))

    def unknown(self, name: str) -> Judgement:
        """Judge what is neither here nor in the catalogue."""
        if self.device == "tenstorrent" and (known := find_model(name)):
            return self._on_card(name, known.shape)
        return Judgement(reason="its size is known when it is downloaded")

    def _in_memory(self, family: str, need: Need | None) -> Judgement:
        is_own = family in INTEGER_FAMILIES
        about = "" if is_own else "; transformers computes this family, which is slower"
        if need is None:
            return Judgement(reason=f"its size cannot be told{about}", is_supported=is_own)
        needed = need.weights_bytes + need.kv_cache_bytes
        fits = self._room_for(needed)
        if self._free is None:
            reason = f"needs {gib(needed)}"
        elif fits == "no":
            reason = f"needs {gib(needed)}, but {gib(self._free)} are free"
        else:
            reason = f"needs {gib(needed)} of the {gib(self._free)} that are free"
        return Judgement(fits, reason + about, is_own, needed, need.precision)

    def _room_for(self, needed: int) -> Fits:
        if self._free is None:
            return "unknown"
        if self._free < needed:
            return "no"
        return "tight" if self._free < needed + memory.EXTRA_BYTES else "yes"

    def _on_card(self, name: str, shape: ModelShape | None) -> Judgement:
        if self._board is None or shape is None:
            return Judgement(reason="its size cannot be told")
        tokens = default_limits()["CACHE_TOKENS"]
        needed = shape.bytes_with(tokens)
        known, preset = find_model(name), used_preset(self._hardware)
        figures = published(known, preset) if known and preset else []
        speed = figures[0].tokens_per_second if figures else None
        fits, reason = self._room_on_card(name, self._board, tokens, needed)
        is_listed = False
        if known and preset:
            is_listed = preset.name in (*known.verified, *known.configured)
            if preset.chips < known.smallest_mesh:
                fits, reason = "no", f"needs {known.smallest_mesh} chips or more"
        if not is_listed:
            reason += f"; tt-metal does not name it for {preset.name if preset else 'these boards'}"
        return Judgement(fits, reason, is_listed, needed, "bfloat8_b", speed)

    def _room_on_card(self, name: str, board: Board, tokens: int, needed: int) -> tuple[Fits, str]:
        try:
            room = room_for(self._hardware, board, name)
            check_fit(name, tokens, room)
        except DeviceError as error:
            return "no", str(error)
        return "yes", f"needs {gib(needed)} of the {gib(room.dram_bytes)} of DRAM"
