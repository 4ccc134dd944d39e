"""The snapshot that Tenstorrent's own tool `tt-smi` takes of every chip."""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import shutil
import signal
import subprocess
import time
from typing import Any, cast

from ttdirect.hardware.readings import Chip

_SECONDS = 20.0
# A Galaxy's snapshot of 32 chips has some 200 kB.
_MOST_BYTES = 4 << 20
# tt-installer makes an environment of its own for it, which is on nobody's PATH.
_OTHER_FOLDERS = ("~/.tenstorrent-venv/bin", "~/.local/bin")


class TtSmiError(Exception):
    """tt-smi could not be run, or what it said cannot be read: one sentence for people."""


def find_tt_smi() -> str | None:
    """Return the path of tt-smi, None if it is not installed."""
    folders = [os.path.expanduser(folder) for folder in _OTHER_FOLDERS]  # noqa: PTH111
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *folders])
    return shutil.which("tt-smi", path=search)


def take_snapshot(program: str, *, seconds: float = _SECONDS) -> dict[str, Any]:
    """Run tt-smi and return its snapshot.

    Raises:
        TtSmiError: If it fails, takes longer than `seconds`, or says no JSON object.
    """
    # --snapshot_no_tty: without it a script's tt-smi may want to draw on a terminal.
    text = _run([program, "-s", "--snapshot_no_tty"], seconds)
    # Log lines may stand before the object, and some versions print it twice.
    start = text.find("{")
    try:
        snapshot = json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else None
    except (ValueError, RecursionError):
        snapshot = None
    if not isinstance(snapshot, dict):
        raise TtSmiError("tt-smi printed no snapshot")
    return cast("dict[str, Any]", snapshot)


def _run(command: list[str], seconds: float) -> str:
    """Return what a command prints, at most so much and for so long."""
    try:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise TtSmiError(f"tt-smi cannot be started: {error.strerror}") from error
    try:
        output = _read(process, seconds)
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise TtSmiError(
            f"tt-smi gave no answer within {seconds:g} s, which a chip that hangs can cause"
        ) from None
    finally:
        _end(process)
    if code != 0:
        raise TtSmiError(f"tt-smi ended with exit code {code}")
    return output.decode("utf-8", "replace")


def _read(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    pieces: list[bytes] = []
    size = 0
    stream = process.stdout
    if stream is None:
        return b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise subprocess.TimeoutExpired(process.args, seconds)
            piece = os.read(stream.fileno(), 1 << 16)
            if not piece:
                return b"".join(pieces)
            size += len(piece)
            if size > _MOST_BYTES:
                raise TtSmiError("tt-smi printed more than a snapshot")
            pieces.append(piece)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # A process that waits for a hanging chip inside the driver cannot be ended, nor waited for.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)


def chips_of(snapshot: dict[str, Any]) -> list[Chip]:
    """Return the chips of a snapshot; what is missing, "N/A" or of another type is left out.

    All values are texts, often padded with spaces (" 25.0"). A chip that hangs has empty objects.
    """
    devices = snapshot.get("device_info")
    if not isinstance(devices, list):
        return []
    return [_chip(device) for device in cast("list[Any]", devices)]


def driver_of(snapshot: dict[str, Any]) -> str:
    """Return the driver's version out of "TT-KMD 2.7.0", empty if the snapshot has none."""
    words = _text(_object(snapshot, "host_info"), "Driver").split()
    return words[-1] if words else ""


def _chip(device: Any) -> Chip:
    board, telemetry = _object(device, "board_info"), _object(device, "telemetry")
    return Chip(
        card_type=_text(board, "board_type"),
        bus=_text(board, "bus_id").lower(),
        board_id=_text(board, "board_id"),
        temperature_celsius=_number(telemetry, "asic_temperature"),
        temperature_limit_celsius=_number(_object(device, "limits"), "thm_limit"),
        power_watts=_number(telemetry, "power"),
        voltage_volts=_number(telemetry, "voltage"),
        current_amperes=_number(telemetry, "current"),
        ai_clock_mhz=_number(telemetry, "aiclk"),
        dram_trained=_flag(board, "dram_status"),
        firmware=_text(_object(device, "firmwares"), "fw_bundle_version"),
    )


def _object(value: Any, key: str) -> dict[str, Any]:
    inner = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}


def _text(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.upper() == "N/A" else text


def _number(values: dict[str, Any], key: str) -> float | None:
    value = values.get(key)
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _flag(values: dict[str, Any], key: str) -> bool | None:
    """Return `dram_status`, which is a boolean or the word for one."""
    text = str(values.get(key)).strip().lower()
    return {"true": True, "false": False}.get(text)
