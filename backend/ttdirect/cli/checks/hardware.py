"""The checks of Tenstorrent boards, and of the model on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ttdirect.cli.checks.check import Check
from ttdirect.cli.create import DEFAULT_PATH
from ttdirect.device.errors import DeviceError
from ttdirect.device.fit import Room, check_fit, shape_of
from ttdirect.device.plan import plan
from ttdirect.device.shape import MESH_DEVICE
from ttdirect.device.system import system_of
from ttdirect.hardware.boards import find_preset
from ttdirect.hardware.limits import limits_for
from ttdirect.hardware.models import find_model, recommend
from ttdirect.hardware.published import describe, published
from ttdirect.script.render import default_limits, limits_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.device.plan import Plan
    from ttdirect.hardware.boards import Board, Preset
    from ttdirect.hardware.models import Model
    from ttdirect.hardware.readings import BoardReading, Chip, Hardware
    from ttdirect.script.device import Device

# So close to the temperature at which a chip turns itself off, a word is due.
_NEAR_CELSIUS = 5


def check_hardware(hardware: Hardware, model: str, device: Device) -> list[Check]:
    """Return the checks of what is there, none for a computer without a card.

    Args:
        hardware: what was found.
        model: what HF_MODEL says, or empty.
        device: what a server would use; a model for the CPU need not fit the card.
    """
    if hardware.source == "none":
        return [_without_driver(hardware)] if hardware.pci_cards else []
    return [
        _check_driver(hardware),
        *(_check_board(number, reading) for number, reading in enumerate(hardware.boards)),
        *_check_use(hardware),
        *_check_system(hardware),
        *_check_model(hardware, model, device),
    ]


def _without_driver(hardware: Hardware) -> Check:
    cards = "1 Tenstorrent card" if hardware.pci_cards == 1 else f"{hardware.pci_cards} cards"
    return Check(
        "driver",
        "fail",
        f"{cards} on the PCI bus but no /dev/tenstorrent, so the driver does not run",
        "sudo modprobe tenstorrent; if there is no such module, run Tenstorrent's tt-installer",
    )


def _check_driver(hardware: Hardware) -> Check:
    message = f"tt-kmd {hardware.driver or 'of unknown version'}, read from {hardware.source}"
    if hardware.problem:
        return Check("driver", "warn", f"{message}: {hardware.problem}", "tt-smi -s")
    return Check("driver", "ok", message)


def _check_board(number: int, reading: BoardReading) -> Check:
    name, parts = f"board {number}", [reading.name, *_board_parts(reading)]
    parts += [_chip_text(chip) for chip in reading.chips]
    message = "; ".join(parts)
    # All that uses the board ends with a reset.
    reset = "end what uses it, then: tt-smi -r"
    if not all(chip.answers for chip in reading.chips):
        return Check(name, "fail", f"{message}; it hangs or starts up", reset)
    if any(chip.dram_trained is False for chip in reading.chips):
        return Check(name, "fail", f"{message}; its DRAM did not come up", reset)
    if reading.board is None:
        return Check(name, "warn", f"{message}; ttdirect does not know this board", "tt-smi -s")
    if any(_is_hot(chip) for chip in reading.chips):
        return Check(name, "warn", f"{message}; it is hot", "look after its fans and the airflow")
    return Check(name, "ok", message)


def _board_parts(reading: BoardReading) -> Iterator[str]:
    if board := reading.board:
        chips = "1 chip" if board.chips == 1 else f"{board.chips} chips"
        yield f"{chips} {board.architecture}, {board.dram_bytes / 1e9:.1f} GB DRAM"
    if firmware := next((chip.firmware for chip in reading.chips if chip.firmware), ""):
        yield f"firmware {firmware}"


def _chip_text(chip: Chip) -> str:
    values = (
        (chip.temperature_celsius, "°C"),
        (chip.power_watts, "W"),
        (chip.ai_clock_mhz, "MHz"),
    )
    told = [f"{value:.0f} {unit}" for value, unit in values if value is not None]
    return ", ".join(told) or "no readings"


def _is_hot(chip: Chip) -> bool:
    temperature, limit = chip.temperature_celsius, chip.temperature_limit_celsius
    # A limit of 0 is one that the firmware does not know.
    return temperature is not None and bool(limit) and temperature > limit - _NEAR_CELSIUS


def _check_use(hardware: Hardware) -> Iterator[Check]:
    if not hardware.holders:
        return
    names = map(str, hardware.holders)
    # A second process does not fail at once: it waits for the driver's lock.
    yield Check(
        "in use",
        "warn",
        f"by {', '.join(names)}; a server started now would wait for it",
        "end it first, unless it is your server",
    )


def _check_system(hardware: Hardware) -> Iterator[Check]:
    preset = hardware.preset
    boards = ", ".join(reading.name for reading in hardware.boards)
    if preset is None:
        yield Check(
            "system",
            "warn",
            f"tt-metal has no name for {boards} together",
            f"name a part of it, for example: export {MESH_DEVICE}=N150",
        )
        return
    tokens = default_limits()["CACHE_TOKENS"]
    message = f"{preset.name}, a mesh of {preset.shape[0]} x {preset.shape[1]} chips"
    best = recommend(preset, tokens)
    if best is None:
        yield Check("system", "ok", f"{message}; tt-metal publishes no model for it")
        return
    message += f"; the largest model that tt-metal names for it is {best.hub_name}"
    if best.needs_account:
        message += ", which asks for an account on the hub"
        if free := recommend(preset, tokens, without_account=True):
            message += f"; without one: {free.hub_name}"
    yield Check("system", "ok", message)


def _check_model(hardware: Hardware, model: str, device: Device) -> Iterator[Check]:
    if not model or not any(reading.board for reading in hardware.boards):
        return
    try:
        chosen = plan(system_of(hardware), model)
        yield Check("fit", "ok", _fit(chosen, model))
    except DeviceError as error:
        status = "fail" if device == "tenstorrent" else "warn"
        yield Check("fit", status, str(error), error.fix)
        return
    known, preset = find_model(model), find_preset(chosen.system)
    if known is None or preset is None:
        return
    if preset.name not in (*known.verified, *known.configured):
        yield Check(
            "support",
            "warn",
            f"tt-metal does not name {known.name} for {preset.name}, so it may not work there",
            f"it is named for {', '.join((*known.verified, *known.configured))}; `ttdirect models` "
            "shows the others that fit",
        )
    yield _check_context(known, preset)
    figures = "; ".join(describe(figure) for figure in published(known, preset))
    if figures:
        yield Check("expected", "ok", f"{known.name} on {preset.name}: {figures}")


def _check_context(known: Model, preset: Preset) -> Check:
    """Compare what the script sets with what tt-metal allows; nothing else refuses it early."""
    allowed, numbers = limits_for(known, preset), _script_limits()
    message = (
        f"{known.name} on {preset.name}: up to {allowed.context:,} tokens, of which one pass reads "
        f"{allowed.one_pass:,}"
    )
    names = ("MAX_SEQ_LEN", "CACHE_TOKENS")
    beyond = [name for name in names if numbers.get(name, 0) > allowed.context]
    if not beyond:
        return Check("context", "ok", message)
    told = " and ".join(f"{name} = {numbers[name]:,}" for name in beyond)
    fix = f"set {' and '.join(beyond)} to at most {allowed.context}"
    return Check("context", "warn", f"{message}; the script has {told}", fix)


def _script_limits() -> dict[str, int]:
    """Return the numbers of the user's script, those of a new one where it has none."""
    try:
        own = limits_in(Path(DEFAULT_PATH).expanduser().read_text(encoding="utf-8"))
    except (OSError, RuntimeError, ValueError):  # no script, no home folder, or no text
        own = {}
    return default_limits() | own


def used_preset(hardware: Hardware) -> Preset | None:
    """Return the system that MESH_DEVICE names, else what the boards make up."""
    return find_preset(os.environ.get(MESH_DEVICE, "").strip()) or hardware.preset


def room_for(hardware: Hardware, board: Board, model: str) -> Room:
    """Return what a model would have on these boards.

    Raises:
        DeviceError: MESH_DEVICE is wrong.
    """
    chosen = plan(system_of(hardware), model)
    return chosen.room or Room(board, *chosen.part, chosen.trace_region_size)


def _fit(chosen: Plan, model: str) -> str:
    """Return how much of the DRAM a model takes.

    Raises:
        DeviceError: It does not fit.
    """
    tokens, shape = default_limits()["CACHE_TOKENS"], shape_of(model)
    if chosen.room is None or shape is None:
        return f"{model} is not in the table of models, nor downloaded: its size is not known yet"
    check_fit(model, tokens, chosen.room)
    message = (
        f"{model} takes {shape.bytes_with(tokens) / 1e9:.1f} GB of "
        f"{chosen.room.dram_bytes / 1e9:.1f} GB DRAM: {shape.weights_bytes / 1e9:.1f} GB for the "
        f"weights, the rest for a KV cache of {tokens:,} tokens"
    )
    preset = find_preset(chosen.system)
    if preset and (known := find_model(model)):
        message += f" (tt-metal allows up to {known.kv_token_limit(preset):,} on {preset.name})"
    return message
