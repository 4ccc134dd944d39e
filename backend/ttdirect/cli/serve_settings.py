"""The settings of `ttdirect serve`: one table, read from flags, environment and a TOML file.

A flag goes before the environment, that before the file, and that before the default.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ttdirect.cli.errors import UsageError
from ttdirect.cli.parser import did_you_mean

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from ttdirect.cli.parser import CommandParser

Value: TypeAlias = "int | str"

_TOML_TABLES_FIX = "write settings as: max_batch_size = 8"


@dataclass(frozen=True)
class Setting:
    """One setting.

    Args:
        name: its name in the file; the flag and the environment variable follow from it.
        group: the heading under which `--help` shows it.
        help: what it is.
        metavar: what stands for its value in the help.
        read: returns the checked value. Raises ValueError with what the value has to be.
        variable: the environment variable, where another name is established.
    """

    name: str
    group: str
    help: str
    metavar: str
    read: Callable[[Any], Value]
    variable: str = ""

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def environment(self) -> str:
        """The environment variable."""
        return self.variable or f"TTDIRECT_{self.name.upper()}"


@dataclass(frozen=True)
class Chosen:
    """The settings that were given: each value, and where it came from."""

    values: Mapping[str, Value]
    origins: Mapping[str, str]


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = _integer(value)
        if number is None or not low <= number <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return number

    return read


def _one_of(*choices: Value) -> Callable[[Any], Value]:
    def read(value: Any) -> Value:
        found = value if isinstance(choices[0], str) else _integer(value)
        if found not in choices:
            raise ValueError(f"one of {', '.join(map(str, choices))}")
        return found

    return read


def _power_of_two(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = _integer(value)
        if number is None or not low <= number <= high or number & (number - 1):
            raise ValueError(f"a power of two from {low} to {high}")
        return number

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value


def _integer(value: Any) -> int | None:
    """Return the whole number that a TOML value or a text holds, None if it holds none."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_MODEL, _ADDRESS, _LIMITS, _CACHE = "model", "address", "limits", "KV cache"

SETTINGS = (
    Setting(
        "model",
        _MODEL,
        "a folder with a model or the name of one on the model hub (default: 'demo', which ships "
        "with ttdirect, on the CPU)",
        "NAME",
        _text,
        variable="HF_MODEL",
    ),
    Setting(
        "device",
        _MODEL,
        "what computes the answers: cpu, cuda (an NVIDIA GPU), tenstorrent, or auto, which takes a "
        "Tenstorrent device if one is ready, else the CPU",
        "NAME",
        _one_of("auto", "cpu", "cuda", "tenstorrent"),
    ),
    Setting(
        "precision",
        _MODEL,
        "how a CPU holds the weights: fp32, bf16, int8, int4, or auto, which is int8",
        "NAME",
        _one_of("auto", "fp32", "bf16", "int8", "int4"),
    ),
    Setting("host", _ADDRESS, "the address that the server listens on", "ADDRESS", _text),
    Setting("port", _ADDRESS, "the port that the server listens on", "PORT", _whole(1, 65535)),
    Setting(
        "max_batch_size",
        _LIMITS,
        "requests answered at the same time: 1, 2, 4, 8, 16 or 32",
        "N",
        _one_of(1, 2, 4, 8, 16, 32),
    ),
    Setting(
        "data_parallel",
        _LIMITS,
        "equal parts of a card's chips; each has the whole model and its share of the requests",
        "N",
        _whole(1, 32),
    ),
    Setting(
        "max_queued",
        _LIMITS,
        "requests that may wait; one more is told to come back later",
        "N",
        _whole(0, 10_000),
    ),
    Setting(
        "max_seq_len",
        _LIMITS,
        "tokens of prompt and answer together, a power of two",
        "TOKENS",
        _power_of_two(128, 1 << 20),
    ),
    Setting(
        "request_timeout",
        _LIMITS,
        "the longest that a request may take",
        "SECONDS",
        _whole(1, 86_400),
    ),
    Setting("block_size", _CACHE, "tokens to a block", "TOKENS", _one_of(16, 32, 64, 128)),
    Setting(
        "cache_tokens",
        _CACHE,
        "tokens that all running requests together can have",
        "TOKENS",
        _whole(128, 1 << 30),
    ),
)


def add_options(parser: CommandParser, defaults: Mapping[str, Value]) -> None:
    """Add `--config` and a flag for each setting, in groups, with the defaults in the help."""
    groups = {
        title: parser.add_argument_group(title)
        for title in dict.fromkeys(setting.group for setting in SETTINGS)
    }
    for setting in SETTINGS:
        default = f", default: {defaults[setting.name]}" if setting.name in defaults else ""
        groups[setting.group].add_argument(
            setting.flag,
            metavar=setting.metavar,
            help=f"{setting.help} ({setting.environment}{default})",
        )
    groups[_ADDRESS].add_argument(
        "--no-api-key", action="store_true", help="let other machines ask without a key"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="read settings from this TOML file, for example: max_batch_size = 8",
    )


def choose(options: argparse.Namespace, environment: Mapping[str, str]) -> Chosen:
    """Return the settings that flags, environment and file give.

    Raises:
        UsageError: If one of them has a wrong value or the file one that does not exist.
    """
    file = _read_file(options.config) if options.config else {}
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        # An empty variable is one that somebody wanted to be rid of.
        given = (
            (getattr(options, setting.name), setting.flag),
            (environment.get(setting.environment, "").strip() or None, setting.environment),
            (file.get(setting.name), options.config),
        )
        for value, origin in given:
            if value is not None:
                values[setting.name] = _checked(setting, value, origin)
                origins[setting.name] = origin
                break
    return Chosen(values, origins)


def _checked(setting: Setting, value: Any, origin: str) -> Value:
    try:
        return setting.read(value)
    except ValueError as error:
        raise UsageError(
            f"{setting.name} must be {error}, not {value!r} (from {origin})",
            fix="ttdirect serve --help shows every setting",
        ) from error


def _read_file(name: str) -> dict[str, Any]:
    toml = _toml_module()
    try:
        given: dict[str, Any] = toml.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{name} cannot be read: {error.strerror}", fix="check the name given with --config"
        ) from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise UsageError(f"{name} is no TOML: {error}", fix=_TOML_TABLES_FIX) from error
    known = [setting.name for setting in SETTINGS]
    for key, value in given.items():
        if key not in known:
            raise UsageError(
                f"{name} sets '{key}', which is no setting{did_you_mean(key, known)}",
                fix=f"choose from: {', '.join(known)}",
            )
        if isinstance(value, (dict, list)):
            raise UsageError(f"{name} gives '{key}' more than one value", fix=_TOML_TABLES_FIX)
    return given


def _toml_module() -> Any:
    """Return Python's own TOML reader, or the package that was its model."""
    for name in ("tomllib", "tomli"):
        try:
            return importlib.import_module(name)
        except ImportError:  # noqa: PERF203 - two rounds
            continue
    raise UsageError(
        "this Python cannot read TOML files", fix="pip install tomli, or use Python 3.11 or later"
    )
