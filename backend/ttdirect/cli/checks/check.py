"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """What one check found, and what to do about it: `fix` is empty when there is nothing."""

    name: str
    status: Status
    message: str
    fix: str = ""
