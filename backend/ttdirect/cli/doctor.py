"""`ttdirect doctor`: check this computer and say what to do about what is missing."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from ttdirect.cli.errors import DID_NOT_WORK, UsageError
from ttdirect.cli.parser import did_you_mean, port
from ttdirect.cli.terminal import Style, paint
from ttdirect.script.render import DEFAULT_PORT

if TYPE_CHECKING:
    import argparse

    from ttdirect.cli.checks.check import Check, Status
    from ttdirect.cli.parser import Commands

_STYLES: dict[Status, Style] = {"ok": "green", "warn": "yellow", "fail": "red"}


def add_parser(commands: Commands) -> None:
    """Add the subcommand `doctor`."""
    parser = commands.add(
        "doctor",
        summary="check this computer",
        description="Check Python, packages, device, boards, model, memory, port and script.\n"
        "The exit code is 0 when nothing fails and 1 otherwise.",
        examples=(
            "ttdirect doctor",
            "HF_MODEL=~/models/Llama-3.2-1B-Instruct ttdirect doctor",
            "ttdirect doctor --port 9000 --json",
            "ttdirect doctor --report > report.txt",
            "ttdirect doctor --explain no-chips",
        ),
    )
    parser.add_argument(
        "--port",
        type=port,
        default=DEFAULT_PORT,
        help=f"the port that the server shall listen on (default: {DEFAULT_PORT})",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="print a list of objects with name, status (ok, warn, fail), message and fix",
    )
    form.add_argument(
        "--report",
        action="store_true",
        help="print a text to send to those who help: versions, boards, settings and checks; "
        "keys, tokens and the name of your home folder are left out",
    )
    form.add_argument(
        "--explain",
        metavar="SECTION",
        help="check nothing, and print what helps after a failure of a card; the error of a server "
        "names the section",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print every check and return 0 when none failed; or explain one failure."""
    if options.explain is not None:
        print(_explanation(options.explain))
        return 0
    # Imported here because looking at packages and ports takes modules that `--help` does not.
    from ttdirect.cli.checks import run_checks  # noqa: PLC0415
    from ttdirect.hardware.telemetry import read_hardware  # noqa: PLC0415

    hardware = read_hardware(ask_tt_smi=True)
    checks = run_checks(options.port, hardware)
    if options.json:
        print(json.dumps([dataclasses.asdict(check) for check in checks], indent=2))
    elif options.report:
        from ttdirect.cli.report import report  # noqa: PLC0415

        print(report(checks, hardware), end="")
    else:
        for check in checks:
            print(_format(check))
    return DID_NOT_WORK if any(check.status == "fail" for check in checks) else 0


def _explanation(name: str) -> str:
    from ttdirect.device.guide import read_sections  # noqa: PLC0415

    sections = read_sections()
    if name not in sections:
        raise UsageError(
            f"there is no section '{name}'{did_you_mean(name, sections)}",
            fix=f"choose from: {', '.join(sections)}",
        )
    return sections[name]


def _format(check: Check) -> str:
    status = paint(f"{check.status:<4}", _STYLES[check.status], sys.stdout)
    hint = f"; fix: {check.fix}" if check.fix else ""
    return f"{status}  {check.name:<12}  {check.message}{hint}"
