"""What `ttdirect doctor` checks, one module for each kind of thing that is looked at.

No check imports what it looks at, so each of them works when something is missing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ttdirect.cli.checks import computer
from ttdirect.cli.checks.model import check_memory, find_model
from ttdirect.cli.checks.port import check_port
from ttdirect.script.device import detect_device, device_nodes

if TYPE_CHECKING:
    from ttdirect.cli.checks.check import Check


def run_checks(port: int) -> list[Check]:
    """Return all checks, for a server that shall listen on `port`."""
    detected = detect_device()
    model = find_model(os.environ.get("HF_MODEL", ""), detected.device)
    return [
        computer.check_python(sys.version_info[:2], card=bool(device_nodes())),
        computer.check_ttdirect(),
        *computer.check_packages(detected.device),
        computer.check_device(detected),
        model.check,
        check_memory(model.weights_bytes),
        check_port(port),
        computer.check_script(),
    ]
