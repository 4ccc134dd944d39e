"""`ttdirect models`: the models that a server could load, and which of them fit this computer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ttdirect.cli.inventory import ModelEntry
    from ttdirect.cli.judgement import Judge
    from ttdirect.cli.parser import Commands

_HEAD = ("model", "size", "download", "memory", "fits", "why")


def add_parser(commands: Commands) -> None:
    """Add the subcommand `models`."""
    parser = commands.add(
        "models",
        summary="show which models fit this computer",
        description="List the model that ships, those in the hub's cache and those we recommend:\n"
        "how large they are, and whether this computer's memory or board has room for them.\n"
        "Nothing is downloaded or asked for.",
        examples=(
            "ttdirect models",
            "ttdirect models ~/models/Llama-3.2-1B-Instruct",
            "ttdirect models --json",
        ),
    )
    parser.add_argument(
        "named", nargs="*", metavar="MODEL", help="more folders or names on the hub to judge"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the list; the exit code is 0.

    Raises:
        UsageError: a setting of the environment is wrong.
    """
    # Imported here because the other commands need none of it.
    from ttdirect.cli.inventory import list_models  # noqa: PLC0415
    from ttdirect.cli.judgement import Judge  # noqa: PLC0415
    from ttdirect.hardware.telemetry import read_hardware  # noqa: PLC0415

    judge = Judge(read_hardware())
    entries = list_models(judge, options.named)
    if options.json:
        print(json.dumps(as_json(judge, entries)))
    else:
        print("\n".join(as_lines(entries)))
    return 0


def as_json(judge: Judge, entries: Sequence[ModelEntry]) -> dict[str, Any]:
    """Return the object that `--json` prints; the names of numbers end in their units."""
    return {
        "device": judge.device,
        "system": judge.system,
        "memory_bytes": judge.memory_bytes,
        "models": [_entry_as_json(entry) for entry in entries],
    }


def _entry_as_json(entry: ModelEntry) -> dict[str, Any]:
    judgement = entry.judgement
    return {
        "id": entry.id,
        "origin": entry.origin,
        "is_here": entry.is_here,
        "parameters": entry.parameters,
        "download_bytes": entry.download_bytes,
        "needs_account": entry.needs_account,
        "fits": judgement.fits,
        "reason": judgement.reason,
        "is_supported": judgement.is_supported,
        "memory_bytes": judgement.memory_bytes,
        "precision": judgement.precision,
        "tokens_per_second": judgement.tokens_per_second,
    }


def as_lines(entries: Sequence[ModelEntry]) -> Iterator[str]:
    """Yield the table for people."""
    rows = [_HEAD, *(_cells(entry) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _cells(entry: ModelEntry) -> tuple[str, ...]:
    from ttdirect.cli.checks.model import gib  # noqa: PLC0415  takes what `--help` does not need

    judgement = entry.judgement
    why = judgement.reason
    if judgement.tokens_per_second is not None:
        why += f"; published: {judgement.tokens_per_second:g} tokens/s"
    if entry.needs_account:
        why += "; asks for an account on the hub"
    return (
        entry.id,
        "?" if entry.parameters is None else describe_parameters(entry.parameters),
        "is here" if entry.is_here else _gigabytes(entry.download_bytes),
        "?" if judgement.memory_bytes is None else gib(judgement.memory_bytes),
        judgement.fits,
        why,
    )


def _gigabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e9:.1f} GB"


def describe_parameters(count: int) -> str:
    """Return a number of parameters as model cards write it: 135M, 1.2B."""
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"
