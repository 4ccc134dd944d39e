"""Values out of JSON that somebody else wrote: of the kind asked for, or empty."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping


def json_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object that `text` holds, or an empty one if it holds something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def object_in(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the object under `name`, empty without one."""
    value = fields.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def objects_in(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects in the list under `name`, none without one."""
    value = fields.get(name)
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def text_in(fields: Mapping[str, Any], name: str) -> str:
    """Return the string under `name`, empty without one."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def number_in(fields: Mapping[str, Any], name: str) -> float:
    """Return the finite number under `name`, 0.0 without one."""
    value = fields.get(name)
    return value if isinstance(value, (int, float)) and math.isfinite(value) else 0.0
