"""What a script is rendered for: the options of `create`, and how a device is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ttdirect.cli.parser import port
from ttdirect.script.device import detect_device
from ttdirect.script.render import DEFAULT_HOST, DEFAULT_PORT, ScriptSettings, default_model

if TYPE_CHECKING:
    import argparse

    from ttdirect.cli.parser import CommandParser
    from ttdirect.script.device import Device


@dataclass(frozen=True)
class Choice:
    """The settings of a script and why its device was chosen."""

    settings: ScriptSettings
    device_reason: str


def add_options(parser: CommandParser) -> None:
    """Add `--device`, `--model`, `--port` and `--host`."""
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "tenstorrent"),
        default="auto",
        help="what computes the answers; cuda is an NVIDIA GPU (default: auto, a Tenstorrent "
        "device if one is ready, else the CPU)",
    )
    parser.add_argument(
        "--model",
        help="a folder with a model or the name of one on the model hub (default: 'demo', which "
        "ships with ttdirect, on the CPU; HF_MODEL on a Tenstorrent device)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=DEFAULT_PORT,
        help=f"the port that the server listens on (default: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--host",
        default=DEFAULT_HOST,
        help=f"the address that the server listens on (default: {DEFAULT_HOST}, this computer)",
    )


def choose(options: argparse.Namespace) -> Choice:
    """Return what the options of `add_options` ask for."""
    device, reason = choose_device(options.device, "As --device says.")
    model = absolute(options.model) or default_model(device)
    return Choice(ScriptSettings(device, model, options.port, options.host), reason)


def choose_device(wish: str, reason: str) -> tuple[Device, str]:
    """Return the device that is wished for, or that `auto` finds, and why it was chosen."""
    if wish == "auto":
        detected = detect_device()
        return detected.device, detected.reason
    return cast("Device", wish), reason


def absolute(model: str | None) -> str | None:
    """Return a folder's full path, because the server may run in another folder."""
    if not model or model == "demo":
        return model
    try:
        folder = Path(model).expanduser()
        return str(folder.resolve()) if folder.is_dir() else model
    except (OSError, RuntimeError):  # no path at all; the server will say what it makes of it
        return model
