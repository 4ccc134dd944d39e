"""The names of recipes on the command line."""

from __future__ import annotations

from ttdirect.cli.errors import UsageError
from ttdirect.cli.parser import did_you_mean


def recipe_id(text: str) -> str:
    """Return the id of the recipe that a word names.

    Raises:
        UsageError: There is no such recipe.
    """
    # Only when a recipe is named, so that `--help` does not wait for it.
    from ttdirect.script.recipes import BY_ID  # noqa: PLC0415

    if text not in BY_ID:
        raise UsageError(
            f"there is no recipe '{text}'{did_you_mean(text, BY_ID)}",
            fix="ttdirect add --list shows them all",
        )
    return text


def recipe_ids(text: str) -> tuple[str, ...]:
    """Return the ids of the recipes in a list with commas.

    Raises:
        UsageError: There is no such recipe.
    """
    return tuple(recipe_id(name.strip()) for name in text.split(",") if name.strip())
