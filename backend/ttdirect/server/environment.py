"""Settings from environment variables, for what the owner decides and the script need not know."""

from __future__ import annotations

import os


class SettingError(ValueError):
    """A setting that cannot be meant.

    Args:
        what: one sentence that says what is wrong; it never quotes a secret.
        fix: what to do about it.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def is_on(variable: str) -> bool:
    """Whether a switch is set to 1, true or yes."""
    return text(variable).lower() in ("1", "true", "yes")


def text(variable: str) -> str:
    """The variable without the white space around it; empty when it is not set."""
    return os.environ.get(variable, "").strip()


def names(variable: str) -> list[str]:
    """The entries of a comma-separated list."""
    return [entry.strip() for entry in text(variable).split(",") if entry.strip()]


def count(variable: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`.

    Raises:
        SettingError: it is something else.
    """
    value = text(variable)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= most):
        raise SettingError(
            f"{variable} is not a whole number from 1 to {most}.",
            f"set it to such a number, for example {variable}={default or 1}, or unset it",
        )
    return int(value)
