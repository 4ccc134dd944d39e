"""`ttdirect hardware`: the boards of this computer, cheap enough to be asked every few seconds."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ttdirect.cli.parser import Commands
    from ttdirect.hardware.readings import BoardReading, Hardware


def add_parser(commands: Commands) -> None:
    """Add the subcommand `hardware`."""
    parser = commands.add(
        "hardware",
        summary="show the Tenstorrent boards",
        description="Show boards, chips, driver, firmware, temperature, power and clock.\n"
        "Only the driver's files are read, which disturbs no model that runs.",
        examples=(
            "ttdirect hardware",
            "ttdirect hardware --json",
            "ttdirect hardware --json --model Llama-3.1-8B-Instruct",
            "ttdirect hardware --tt-smi",
        ),
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--tt-smi",
        action="store_true",
        help="ask tt-smi if it is installed and nothing uses the boards; it knows every chip, "
        "and takes seconds",
    )
    parser.add_argument(
        "--model", metavar="NAME", help="with --json: also tell what is published for this model"
    )
    parser.add_argument(
        "--system",
        metavar="NAME",
        help="with --model: the part of the boards that the server uses, as MESH_DEVICE calls it",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is there; the exit code is 0, with or without a card."""
    # Imported here because the other commands need none of it.
    from ttdirect.hardware.telemetry import read_hardware  # noqa: PLC0415

    hardware = read_hardware(ask_tt_smi=options.tt_smi)
    if options.json:
        print(json.dumps(as_json(hardware, options.model, options.system)))
    else:
        print("\n".join(as_lines(hardware)))
    return 0


def as_json(
    hardware: Hardware, model: str | None = None, system: str | None = None
) -> dict[str, Any]:
    """Return the object that `--json` prints; the names of numbers end in their units.

    Args:
        hardware: what was found.
        model: whose published figures are told, as a server names it; None for none.
        system: where it runs, by default all boards together.
    """
    # Imported here because help needs none of it.
    from ttdirect.hardware.published import published_for  # noqa: PLC0415

    preset = hardware.preset
    where = system or (preset.name if preset else "")
    return {
        "source": hardware.source,
        "driver": hardware.driver,
        "system": preset.name if preset else None,
        "boards": [_board_as_json(reading) for reading in hardware.boards],
        "published": [dataclasses.asdict(figure) for figure in published_for(model or "", where)],
        "holders": [dataclasses.asdict(holder) for holder in hardware.holders],
        "pci_cards": hardware.pci_cards,
        "problem": hardware.problem,
    }


def as_lines(hardware: Hardware) -> Iterator[str]:
    """Yield the same for people."""
    if hardware.source == "none":
        yield (
            "There is a Tenstorrent card, but its driver does not run: ttdirect doctor"
            if hardware.pci_cards
            else "There is no Tenstorrent card in this computer."
        )
        return
    yield f"driver {hardware.driver or 'unknown'}, read from {hardware.source}"
    if hardware.problem:
        yield hardware.problem
    for number, reading in enumerate(hardware.boards):
        yield f"board {number}: {reading.name}"
        for chip in reading.chips:
            values = (
                (chip.temperature_celsius, "°C"),
                (chip.power_watts, "W"),
                (chip.voltage_volts, "V"),
                (chip.ai_clock_mhz, "MHz"),
                (chip.arc_clock_mhz, "MHz ARC"),
                (chip.axi_clock_mhz, "MHz AXI"),
            )
            told = [f"{value:g} {unit}" for value, unit in values if value is not None]
            firmware = [f"firmware {chip.firmware}"] if chip.firmware else []
            yield f"  {chip.bus or 'behind it':12}  {', '.join([*told, *firmware]) or 'no answer'}"
    for holder in hardware.holders:
        yield f"in use by {holder}"
    answers = any(chip.answers for reading in hardware.boards for chip in reading.chips)
    if hardware.source == "sysfs" and not answers and not hardware.problem:
        yield (
            "the driver tells nothing of these chips: they hang, or it is an old one; "
            "ttdirect hardware --tt-smi asks them"
        )


def _board_as_json(reading: BoardReading) -> dict[str, Any]:
    board = reading.board
    return {
        "name": reading.name,
        "card_type": reading.card_type,
        "architecture": board.architecture if board else None,
        "chips_of_board": board.chips if board else None,
        "dram_bytes": board.dram_bytes if board else None,
        "chips": [{**dataclasses.asdict(chip), "answers": chip.answers} for chip in reading.chips],
    }
