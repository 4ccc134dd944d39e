"""Recipes: changes to the user's own script that keep everything else in it as it is.

`edits` and `removal` turn a script's text into edits at positions; nothing here writes a file, and
nothing is imported but the standard library. A recipe is data (`protection`, `features`).
"""

from ttdirect.script.recipes.catalogue import BY_ID, RECIPES
from ttdirect.script.recipes.editing import edits, removal, survey
from ttdirect.script.recipes.model import Edit, Edits, Recipe, Refusal, apply

__all__ = [
    "BY_ID",
    "RECIPES",
    "Edit",
    "Edits",
    "Recipe",
    "Refusal",
    "apply",
    "edits",
    "removal",
    "survey",
]
