"""What `ttdirect doctor` checks, one module for each kind of thing that is looked at.

No check imports what it looks at, so each of them works when something is missing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ttdirect.cli.checks import computer
from ttdirect.cli.checks.hardware import check_hardware
from ttdirect.cli.checks.memory import check_memory
from ttdirect.cli.checks.model import find_model
from ttdirect.cli.checks.port import check_port
from ttdirect.cli.checks.speed import check_speed
from ttdirect.script.device import detect_device, device_nodes

if TYPE_CHECKING:
    from ttdirect.cli.checks.check import Check
    from ttdirect.hardware.readings import Hardware


def run_checks(port: int, hardware: Hardware) -> list[Check]:
    """Return all checks, for a server that shall listen on `port` and use this hardware."""
    detected = detect_device()
    name = os.environ.get("HF_MODEL", "")
    model = find_model(name, detected.device)
    return [
        computer.check_python(sys.version_info[:2], card=bool(device_nodes())),
        computer.check_ttdirect(),
        *computer.check_packages(detected.device),
        computer.check_device(detected),
        *computer.check_tt_metal(),
        *check_hardware(hardware, name, detected.device),
        model.check,
        check_memory(model, detected.device, os.environ),
        check_port(port),
        *check_speed(port),
        computer.check_script(),
    ]
