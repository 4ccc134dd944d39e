"""All recipes, in the order in which people see them and in which their blocks stand."""

from __future__ import annotations

from ttdirect.script.recipes.features import METRICS, OPENAI, STREAMING, SYSTEM_PROMPT, TIMEOUT
from ttdirect.script.recipes.model import Block, Recipe
from ttdirect.script.recipes.protection import (
    AUTHENTICATION,
    CORS,
    RATE_LIMITING,
    REQUEST_LOGGING,
)

TENSTORRENT = Recipe(
    id="tenstorrent",
    title="Compute on a Tenstorrent device",
    summary="Imports the Generator API of tt-metal; `cpu` switches back.",
    note="The server needs ttnn and tt-metal then, and HF_MODEL names the model.",
    device="tenstorrent",
)

CPU = Recipe(
    id="cpu",
    title="Compute on the CPU",
    summary="Imports the Generator API of this package; `tenstorrent` switches back.",
    note="The server needs no device then. It answers more slowly.",
    device="cpu",
)

RECIPES: tuple[Recipe, ...] = (
    AUTHENTICATION,
    RATE_LIMITING,
    REQUEST_LOGGING,
    CORS,
    STREAMING,
    OPENAI,
    METRICS,
    TIMEOUT,
    SYSTEM_PROMPT,
    TENSTORRENT,
    CPU,
)

FIRST_LINES = frozenset(
    piece.code.partition("\n")[0]
    for recipe in RECIPES
    for variant in recipe.variants
    for piece in variant.pieces
    if isinstance(piece, Block)
)
"""What each block of code begins with: a comment of its own."""

BY_ID = {recipe.id: recipe for recipe in RECIPES}
