"""A new script's text: the rendered template, with recipes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.script.render import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.script.render import ScriptSettings


class RecipeRefusedError(Exception):
    """A recipe does not go into a script; the message says which and why."""


def compose(settings: ScriptSettings, recipes: Sequence[str] = ()) -> str:
    """Return the text that `ttdirect create` writes.

    What the template has already is not added again.

    Args:
        settings: what the script is rendered for.
        recipes: ids of recipes.

    Raises:
        RecipeRefusedError: If one of them does not go into this script.
    """
    text = render(settings)
    if not recipes:
        return text
    # Only now, because reading syntax trees takes modules that most callers do not need.
    from ttdirect.script.recipes import Refusal, apply, edits  # noqa: PLC0415

    for recipe_id in recipes:
        changes = edits(recipe_id, text)
        if not isinstance(changes, Refusal):
            text = apply(text, changes)
        elif not changes.is_there:
            raise RecipeRefusedError(f"'{recipe_id}' cannot be added: {changes.reason}")
    return text
