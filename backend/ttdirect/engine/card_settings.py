"""What the owner of a card may choose, and the script need not know.

- `TTDIRECT_TRACE`: `all` (as it comes), `decode` (prompts untraced: a smaller trace region does),
  or `off` (for finding errors; several times slower). vllm-tt-plugin calls it `trace_mode`.
- `TTDIRECT_PREFIX_CACHE`: 0 reads every prompt whole, 1 goes on behind beginnings that the cache
  holds even where the model's class does not say that it can.
- `TTDIRECT_SAMPLE_ON_DEVICE`: 1 lets the device choose the tokens where it can
  (see `device_sampling`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum

from ttdirect.engine.errors import FixableError

TRACE, SAMPLE = "TTDIRECT_TRACE", "TTDIRECT_SAMPLE_ON_DEVICE"
PREFIX = "TTDIRECT_PREFIX_CACHE"
_YES, _NO = ("1", "true", "yes"), ("0", "false", "no")


class CardSettingError(FixableError, ValueError):
    """A setting that cannot be meant."""


class Trace(str, Enum):
    """What is recorded on the card once and replayed from then on."""

    ALL = "all"
    DECODE = "decode"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class CardSettings:
    """How a card is to be driven.

    Args:
        trace: what is recorded once and replayed from then on.
        samples_on_device: whether the device chooses the tokens where it can.
        continues_prompts: whether to go on behind a beginning that the cache holds; None for what
            the model says.
    """

    trace: Trace = Trace.ALL
    samples_on_device: bool = False
    continues_prompts: bool | None = None


def card_settings() -> CardSettings:
    """The settings from the environment.

    Raises:
        CardSettingError: a value that cannot be meant.
    """
    trace = os.environ.get(TRACE, "").strip().lower() or Trace.ALL.value
    if trace not in list(Trace):
        raise CardSettingError(
            f"{TRACE} is neither all, decode nor off.", f"set {TRACE}=all, or unset it"
        )
    return CardSettings(Trace(trace), _flag(SAMPLE) or False, _flag(PREFIX))


def _flag(name: str) -> bool | None:
    word = os.environ.get(name, "").strip().lower()
    if word not in ("", *_YES, *_NO):
        raise CardSettingError(f"{name} is neither 0 nor 1.", f"set {name}=0, or unset it")
    return word in _YES if word else None
