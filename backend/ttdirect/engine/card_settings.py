"""What the owner of a card may choose, and the script need not know.

- `TTDIRECT_TRACE`: `all` (as it comes), `decode` (prompts untraced: a smaller trace region does),
  or `off` (for finding errors; several times slower). vllm-tt-plugin calls it `trace_mode`.
- `TTDIRECT_SAMPLE_ON_DEVICE`: 1 lets the device choose the tokens where it can
  (see `device_sampling`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum

from ttdirect.engine.errors import EngineError

TRACE, SAMPLE = "TTDIRECT_TRACE", "TTDIRECT_SAMPLE_ON_DEVICE"


class CardSettingError(EngineError, ValueError):
    """A setting that cannot be meant.

    Args:
        what: one sentence that says what is wrong.
        fix: what to do about it.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


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
    """

    trace: Trace = Trace.ALL
    samples_on_device: bool = False


def card_settings() -> CardSettings:
    """The settings from the environment.

    Raises:
        CardSettingError: a value that cannot be meant.
    """
    trace = os.environ.get(TRACE, "").strip().lower() or Trace.ALL.value
    sample = os.environ.get(SAMPLE, "").strip().lower()
    if trace not in list(Trace):
        raise CardSettingError(
            f"{TRACE} is neither all, decode nor off.", f"set {TRACE}=all, or unset it"
        )
    if sample not in ("", "0", "1", "true", "false", "yes", "no"):
        raise CardSettingError(f"{SAMPLE} is neither 0 nor 1.", f"set {SAMPLE}=0, or unset it")
    return CardSettings(Trace(trace), sample in ("1", "true", "yes"))
