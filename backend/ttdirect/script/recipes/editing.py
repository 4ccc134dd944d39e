"""From a recipe and a script to edits, and back again.

A change is only offered when all of this holds: the script parses; it has not the idea already, by
its structure; every name that is needed is free or means the right thing; the result parses; a
second application finds the idea; and taking the recipe out gives the script back to the letter.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ttdirect.script.recipes import arguments, blocks, device, imports
from ttdirect.script.recipes.catalogue import BY_ID, RECIPES
from ttdirect.script.recipes.model import (
    Argument,
    Block,
    Edit,
    Edits,
    Recipe,
    Refusal,
    UnsureError,
    Variant,
    apply,
)
from ttdirect.script.recipes.script import Script
from ttdirect.script.recipes.signs import find_sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.script.recipes.device import Target


def edits(recipe_id: str, source: str) -> Edits | Refusal:
    """Return the changes that add a recipe to a script, or why there are none.

    Args:
        recipe_id: the id of one of `RECIPES`.
        source: the script's text, with its own line ends.

    Raises:
        KeyError: There is no such recipe.
    """
    recipe = BY_ID[recipe_id]
    try:
        changes = _edits(recipe, Script(source))
        if isinstance(changes, Edits):
            _check(recipe, source, Script(apply(source, changes)))
    except UnsureError as error:
        return Refusal(str(error), error.line)
    return changes


def survey(source: str) -> dict[str, Refusal | None]:
    """Return for each recipe why it would not be added, or None where it probably can be.

    This is for menus: it reads the script once and leaves out what `edits` checks at the end.
    """
    try:
        script = Script(source)
    except UnsureError as error:
        return {recipe.id: Refusal(str(error), error.line) for recipe in RECIPES}
    return {recipe.id: _refusal(recipe, script) for recipe in RECIPES}


def removal(recipe_id: str, source: str) -> Edits | Refusal:
    """Return the changes that take a recipe out again, or why that cannot be done.

    It can as long as the lines that it added are as they were, and nothing else uses their names.

    Args:
        recipe_id: the id of one of `RECIPES`.
        source: the script's text, with its own line ends.

    Raises:
        KeyError: There is no such recipe.
    """
    recipe = BY_ID[recipe_id]
    try:
        return _removal(recipe, Script(source))
    except UnsureError as error:
        return Refusal(str(error), error.line)


def _edits(recipe: Recipe, script: Script) -> Edits | Refusal:
    """The changes, before they are checked as a whole."""
    if recipe.device is not None:
        return _switch(recipe, recipe.device, script)
    there = find_sign(script, recipe.signs)
    if there is not None:
        return there
    variant = _variant_for(recipe, script)
    found: list[Edit] = []
    missing: list[str] = []
    for piece in variant.pieces:
        if isinstance(piece, Block):
            rendered = blocks.render(script, piece)
            missing += rendered.missing
            found.append(blocks.insertion(script, piece, rendered, _earlier(recipe, piece, script)))
        elif isinstance(piece, Argument):
            found.append(arguments.add_argument(script, piece))
        else:
            found.append(arguments.add_message(script, piece))
    found += imports.additions(script, missing)
    return Edits(recipe.id, _joined(found), variant.pip, recipe.note)


def _refusal(recipe: Recipe, script: Script) -> Refusal | None:
    try:
        changes = _edits(recipe, script)
    except UnsureError as error:
        return Refusal(str(error), error.line)
    return changes if isinstance(changes, Refusal) else None


def _removal(recipe: Recipe, script: Script) -> Edits | Refusal:
    if recipe.device is not None:
        other = "cpu" if recipe.device == "tenstorrent" else "tenstorrent"
        return Refusal(f"The device is a switch: the recipe `{other}` turns it the other way.")
    for variant in recipe.variants:
        if not _fits(variant, script, without_messages=True):
            continue
        found = list(_deletions(variant, script))
        if len(found) < len(variant.pieces):
            continue
        spans = [(it.start, it.end) for it in found]
        found += imports.removals(script, spans)
        changes = Edits(recipe.id, _joined(found))
        _check_unused(variant, script, apply(script.source, changes))
        return changes
    there = find_sign(script, recipe.signs)
    if there is None:
        return Refusal("The script does not have this.")
    return Refusal(
        "The lines are not as the recipe wrote them, so they are yours to take out.", there.line
    )


def _deletions(variant: Variant, script: Script) -> Iterator[Edit]:
    for piece in variant.pieces:
        if isinstance(piece, Block):
            edit = blocks.deletion(script, blocks.render(script, piece))
        elif isinstance(piece, Argument):
            edit = arguments.remove_argument(script, piece)
        else:
            edit = arguments.remove_message(script, piece)
        if edit is not None:
            yield edit


def _switch(recipe: Recipe, target: Target, script: Script) -> Edits | Refusal:
    line = device.line_of(script, target)
    if line is not None:
        reason = f"Already there: the imports in line {line} are for it."
        return Refusal(reason, line, is_there=True)
    return Edits(recipe.id, tuple(device.switch(script, target)), note=recipe.note)


def _variant_for(recipe: Recipe, script: Script) -> Variant:
    for variant in recipe.variants:
        if _fits(variant, script):
            return variant
    raise UnsureError(recipe.cannot)


def _fits(variant: Variant, script: Script, *, without_messages: bool = False) -> bool:
    """Whether the script has what a variant needs."""
    needs = variant.needs
    if "messages" in needs:
        return without_messages or bool(script.first_messages)
    if "engine" in needs and script.engine is None:
        return False
    return "protect" not in needs or script.is_protected


def _earlier(recipe: Recipe, block: Block, script: Script) -> list[blocks.Rendered]:
    """The blocks of the recipes before this one that go to the same place, as far as they fit."""
    rendered: list[blocks.Rendered] = []
    for other in RECIPES[: RECIPES.index(recipe)]:
        for variant in other.variants:
            for piece in variant.pieces:
                if isinstance(piece, Block) and piece.anchor == block.anchor:
                    try:
                        rendered.append(blocks.render(script, piece))
                    except UnsureError:
                        continue  # then it is not there either
    return rendered


def _joined(found: list[Edit]) -> tuple[Edit, ...]:
    """The edits in order, insertions at one place made into one."""
    joined: list[Edit] = []
    for edit in sorted(found, key=lambda it: it.start):
        if joined and joined[-1].start == edit.start == edit.end == joined[-1].end:
            last = joined.pop()
            label = last.label if last.label == edit.label else f"{last.label} {edit.label}"
            joined.append(dataclasses.replace(last, text=last.text + edit.text, label=label))
        else:
            joined.append(edit)
    return tuple(joined)


def _check(recipe: Recipe, before: str, after: Script) -> None:
    """Make sure that the result, which parses, has the recipe and can be turned back.

    Raises:
        UnsureError: It is not so.
    """
    again = _edits(recipe, after)
    if isinstance(again, Edits) or not again.is_there:
        raise UnsureError("The recipe would not be recognised in this script afterwards.")
    if recipe.device is not None:
        # A script for a GPU comes back as one for the CPU, so the text need not be the same.
        other = BY_ID["cpu" if recipe.device == "tenstorrent" else "tenstorrent"]
        is_reversible = isinstance(_edits(other, after), Edits)
    else:
        back = _removal(recipe, after)
        is_reversible = isinstance(back, Edits) and apply(after.source, back) == before
    if not is_reversible:
        raise UnsureError("The recipe could not be taken out of this script again.")


def _check_unused(variant: Variant, script: Script, after: str) -> None:
    """Make sure that nothing uses what the recipe's blocks gave a name to.

    Raises:
        UnsureError: A line does.
    """
    pieces = [it for it in variant.pieces if isinstance(it, Block)]
    names = {name for piece in pieces for name in blocks.render(script, piece).names}
    rest = Script(after)
    for name in sorted(names):
        if name in after and rest.uses(name):  # not in a comment only
            raise UnsureError(f"Other lines use `{name}`, which would go away.")
