"""The text of `ttdirect doctor --report`, which a card's owner can send to those who help."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import ttdirect
from ttdirect.cli import hardware as hardware_command
from ttdirect.cli.create import DEFAULT_PATH
from ttdirect.cli.errors import CommandError
from ttdirect.cli.generator_era import find_era
from ttdirect.cli.host import describe_host
from ttdirect.cli.last_failure import last_failure
from ttdirect.cli.terminal import neutralise
from ttdirect.cli.tt_metal import find_tt_metal
from ttdirect.script.render import limits_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttdirect.cli.checks.check import Check
    from ttdirect.hardware.readings import Hardware

_PACKAGES = (
    *("ttnn", "torch", "transformers", "tokenizers", "safetensors", "huggingface-hub", "numpy"),
    *("pydantic", "protobuf", "loguru", "flask", "gunicorn", "prometheus-client", "requests"),
)
_FAMILIES = ("TT_", "TTDIRECT_", "HF_", "TRANSFORMERS_", "HUGGING_FACE_")
_OTHERS = (
    *("MESH_DEVICE", "FAKE_DEVICE", "ARCH_NAME", "PYTHONPATH", "VIRTUAL_ENV", "LLAMA_DIR"),
    *("MAX_PREFILL_CHUNK_SIZE", "DISABLE_DI_DT_WORKAROUND", "PAD_MLP_CORES"),
)
# HF_TOKEN and OPENAI_APIKEY, but not TOKENIZERS_PARALLELISM, whose value is the word "false".
_SECRET_NAME = re.compile("(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH)S?(_|$)")
# Tokens of the hub and keys of OpenAI's kind, and what stands before the @ of an address.
_SECRET_TEXT = re.compile(r"\b(?:hf|sk|api_org)[_-][\w-]{8,}|(?<=://)[^/\s@]+(?=@)")
# Some words of a language are short, and so are some keys that people choose.
_SHORTEST_SECRET = 4

# docs/tenstorrent.md says what each of them should print.
NEXT = (
    "tt-smi -s --snapshot_no_tty",
    'python -c "import ttnn; print(ttnn.get_num_devices(), ttnn.cluster.get_cluster_type())"',
    "ttdirect create",
    "python ~/tt-api-server-direct.py",
    "curl -s http://127.0.0.1:8080/health",
    "ttdirect bench --concurrency 1,32 --prompt-tokens 128 --max-tokens 128 --ignore-eos",
    "ttdirect hardware",
)


def report(checks: Sequence[Check], hardware: Hardware) -> str:
    """Return the whole text, without keys, tokens and the name of the home folder."""
    now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
    sections = (
        (f"TT Direct API, report of {now}", _versions()),
        ("Computer", describe_host()),
        ("Hardware", hardware_command.as_lines(hardware)),
        ("tt-metal", _tt_metal()),
        ("Environment", _environment()),
        ("The script", _script()),
        ("The last server that gave up", [last_failure() or "none not long ago"]),
        ("Checks", _checks(checks)),
        ("What to run next, and to send with this text", _next(checks, hardware)),
    )
    text = "\n".join("\n".join([f"== {title}", *lines, ""]) for title, lines in sections)
    return redact(neutralise(text))


def redact(text: str) -> str:
    """Return a text without secrets, and with ~ for the home folder."""
    for name, value in os.environ.items():
        if not _SECRET_NAME.search(name.upper()):
            continue
        # A list of keys may be told whole, and each of them by itself.
        for part in (value, *(key.strip() for key in re.split(r"[,\n]", value))):
            if len(part) >= _SHORTEST_SECRET:
                text = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "***", text)
    text = _SECRET_TEXT.sub("***", text)
    home = os.path.expanduser("~")  # noqa: PTH111 which raises nothing without a home folder
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home.rstrip('/'))}(?![\w.-])", "~", text)
    return text


def _versions() -> Iterator[str]:
    yield f"ttdirect {ttdirect.__version__} at {Path(ttdirect.__file__).parent}"
    yield f"Python {platform.python_version()} at {sys.executable} on {platform.platform()}"
    yield from map(_package_version, _PACKAGES)


def _package_version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"


def _tt_metal() -> Iterator[str]:
    try:
        clone = find_tt_metal()
    except CommandError as error:
        yield error.what
        return
    if clone is None:
        yield "not found"
        return
    yield clone.describe()
    if clone.is_changed():
        yield "its models have been changed since that commit"
    yield f"ttnn in its environment: {clone.ttnn_version() or 'none'}"
    yield f"era of its Generator: {find_era(clone)}"


def _environment() -> Iterator[str]:
    names = sorted(name for name in os.environ if name.startswith(_FAMILIES) or name in _OTHERS)
    for name in names:
        yield f"{name}={'(set, not shown)' if _SECRET_NAME.search(name) else os.environ[name]}"
    if not names:
        yield "no variable of tt-metal, of the hub or of ours is set"


def _script() -> Iterator[str]:
    """The numbers that it sets; whether it was changed, the checks tell."""
    try:
        text = Path(DEFAULT_PATH).expanduser().read_text(encoding="utf-8")
    except (OSError, RuntimeError, ValueError):  # no script, no home folder, or no text
        yield f"none at {DEFAULT_PATH}"
        return
    yield from (f"{name} = {value}" for name, value in limits_in(text).items())


def _checks(checks: Sequence[Check]) -> Iterator[str]:
    for check in checks:
        fix = f"; fix: {check.fix}" if check.fix else ""
        yield f"{check.status:<4}  {check.name:<12}  {check.message}{fix}"


def _next(checks: Sequence[Check], hardware: Hardware) -> Iterator[str]:
    for check in checks:
        if check.status == "fail":
            yield f"first: {check.fix}"
    if hardware.source == "none":
        yield "there is no card that its driver shows, so there is nothing to try on it"
    else:
        yield from NEXT
