"""The text of the user's script: the template with the settings filled in."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from ttdirect.script.seal import seal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.script.device import Device

DEFAULT_PORT = 8080
DEFAULT_HOST = "127.0.0.1"

_TEMPLATE = "tt-api-server-direct.py.template"
_MARKER = re.compile(r"@@([A-Z_]+)@@")
_LIMIT = re.compile(r"(?m)^([A-Z_]+) = (\d[\d_]*)")

DEVICE_NAMES: dict[Device, str] = {
    "cpu": "the CPU",
    "cuda": "an NVIDIA GPU",
    "tenstorrent": "a Tenstorrent device",
}

_OWN_GENERATOR = """\
from ttdirect import generator as ttnn
from ttdirect.generator import (
    DecodersPrecision,
    Generator,
    PagedAttentionConfig,
    create_tt_model,
)
"""

DEVICE_IMPORTS: dict[Device, str] = {
    "cpu": _OWN_GENERATOR,
    "cuda": f"""\
os.environ.setdefault("TTDIRECT_DEVICE", "cuda")  # set it to cpu to do without the GPU
{_OWN_GENERATOR}""",
    "tenstorrent": """\
import ttnn
from models.tt_transformers.tt.common import PagedAttentionConfig, create_tt_model
from models.tt_transformers.tt.generator import Generator
from models.tt_transformers.tt.model_config import DecodersPrecision
""",
}

INSTALL_HINTS: dict[Device, str] = {
    "cpu": "pip install 'ttdirect[cpu]'",
    "cuda": "pip install 'ttdirect[cpu]', and a PyTorch with CUDA",
    "tenstorrent": "pip install ttdirect in tt-metal's Python environment, and start this with it",
}

_DEFAULT_MODELS: dict[Device, str] = {"cpu": "demo", "cuda": "demo", "tenstorrent": ""}


class TemplateError(Exception):
    """The template and the renderer disagree about the markers."""


@dataclass(frozen=True)
class ScriptSettings:
    """What a script is rendered for.

    `limits` replaces numbers in the script's settings, by the names that `default_limits` has.

    Raises:
        ValueError: If `port` is no TCP port.
    """

    device: Device
    model: str
    port: int = DEFAULT_PORT
    host: str = DEFAULT_HOST
    limits: Mapping[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise ValueError(f"a port is a number from 1 to 65535, not {self.port}")


def default_model(device: Device) -> str:
    """Return the model that a script names when the user names none.

    CPU and GPU have the model that ships; on Tenstorrent hardware it is empty: HF_MODEL must be
    set.
    """
    return _DEFAULT_MODELS[device]


def default_limits() -> dict[str, int]:
    """Return the numbers that the template sets, such as MAX_BATCH_SIZE, by name."""
    return limits_in(_read_template())


def limits_in(script: str) -> dict[str, int]:
    """Return the numbers that a script's text sets, by name."""
    return {name: int(value) for name, value in _LIMIT.findall(script)}


def render(settings: ScriptSettings) -> str:
    """Return the script's text, its last line being the seal that `is_as_rendered` checks.

    Raises:
        TemplateError: If the template lacks a marker, holds one that has no value, or sets no
            such limit.
    """
    values = {
        "DEVICE_NAME": DEVICE_NAMES[settings.device],
        "DEVICE_IMPORTS": textwrap.indent(DEVICE_IMPORTS[settings.device], "    ").rstrip("\n"),
        "INSTALL_HINT": _literal(INSTALL_HINTS[settings.device]),
        "MODEL": _literal(settings.model),
        "PORT": repr(settings.port),
        "HOST": _literal(settings.host),
    }
    # Odd parts are marker names. In one pass, because a model may be named like a marker.
    parts = _MARKER.split(_set_limits(_read_template(), settings.limits))
    texts, names = parts[0::2], parts[1::2]
    if set(names) != set(values):
        wrong = ", ".join(sorted(set(names) ^ set(values)))
        raise TemplateError(f"{_TEMPLATE}: markers missing or without a value: {wrong}")
    if any("@@" in text for text in texts):
        raise TemplateError(f"{_TEMPLATE}: there is an @@ that belongs to no marker")
    parts[1::2] = [values[name] for name in names]
    return seal("".join(parts))


def _set_limits(template: str, limits: Mapping[str, int]) -> str:
    unknown = set(limits) - {name for name, _ in _LIMIT.findall(template)}
    if unknown:
        raise TemplateError(f"{_TEMPLATE}: sets no {', '.join(sorted(unknown))}")
    return _LIMIT.sub(lambda line: f"{line[1]} = {limits.get(line[1], line[2])}", template)


def _read_template() -> str:
    return resources.files("ttdirect.script").joinpath(_TEMPLATE).read_text(encoding="utf-8")


def _literal(text: str) -> str:
    """Return a Python literal on one line, in the double quotes that formatters want."""
    literal = repr(text)
    if '"' not in literal:  # then repr chose single quotes and had nothing to escape for them
        return f'"{literal[1:-1]}"'
    return literal
