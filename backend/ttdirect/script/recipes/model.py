"""What a recipe is made of, and what comes of asking for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Anchor: TypeAlias = Literal["before app", "hooks", "engine", "routes"]
"""Where a block of code goes: above the line that makes the app, below the lines that set it up,
below the line that makes the engine, or below the last route."""

Need: TypeAlias = Literal["app", "engine", "protect", "messages"]
"""What a script must have: a Flask app, the package's Engine, `server.protect(app)`, or a list of
chat messages that begins with the user's."""

SignKind: TypeAlias = Literal[
    "string", "prefix", "number", "module", "call", "argument", "attribute", "hook"
]


@dataclass(frozen=True)
class Sign:
    """Something in a script's structure that shows that the recipe's idea is there already.

    Args:
        kind: "string" and "number" are literals of exactly this value, "prefix" is the beginning
            of a string, "module" is imported, "call" is the dotted name of what is called,
            "argument" the name before the = of one, "attribute" the name behind a dot, "hook" what
            a function for every request calls.
        value: what to look for.
        what: in words, to stand before "in line 12".
    """

    kind: SignKind
    value: str | int
    what: str


@dataclass(frozen=True)
class Block:
    """Lines of code. `$name` stands for what the script calls the thing of that name.

    Args:
        anchor: where they go.
        code: with four spaces for each level, and no line end at the end.
        label: one short sentence that tells the user what this does.
    """

    anchor: Anchor
    code: str
    label: str


@dataclass(frozen=True)
class Argument:
    """One more argument in the call that makes the engine."""

    text: str
    label: str


@dataclass(frozen=True)
class Message:
    """One more message before the user's, in the list that the chat template gets."""

    text: str
    label: str


Piece: TypeAlias = Block | Argument | Message


@dataclass(frozen=True)
class Variant:
    """The pieces for scripts that have all of `needs`."""

    needs: frozenset[Need]
    pieces: tuple[Piece, ...]
    pip: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A change that `ttdirect add` and the editor offer.

    Args:
        id: its name on the command line.
        title: as a menu shows it.
        summary: one sentence on what the server does then.
        note: what the user should know or do next.
        signs: how a script looks that has it already.
        variants: the first whose needs are met is taken.
        cannot: why it cannot be added where no variant fits.
        device: for the two recipes that are a switch: what computes then.
    """

    id: str
    title: str
    summary: str
    note: str
    signs: tuple[Sign, ...] = ()
    variants: tuple[Variant, ...] = ()
    cannot: str = ""
    device: Literal["cpu", "tenstorrent"] | None = None


@dataclass(frozen=True)
class Edit:
    """Replace the characters from `start` up to `end` of the source by `text`.

    The offsets count code points. `label` says in one short sentence what this is for.
    """

    start: int
    end: int
    text: str
    label: str


@dataclass(frozen=True)
class Edits:
    """Changes to one source, sorted, none overlapping, all relative to the source as it was.

    Args:
        recipe_id: whose changes these are.
        edits: the changes.
        pip: a package that the script needs from then on.
        note: what the user should know or do next.
    """

    recipe_id: str
    edits: tuple[Edit, ...]
    pip: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Refusal:
    """Nothing is changed, and why.

    Args:
        reason: one sentence.
        line: the line that it speaks of.
        is_there: whether the script has already what was asked for.
    """

    reason: str
    line: int | None = None
    is_there: bool = False


class UnsureError(Exception):
    """The script is of a kind that must not be changed by a program.

    Args:
        reason: one sentence.
        line: the line that it speaks of.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def apply(source: str, changes: Edits) -> str:
    """Return the source with the changes made."""
    for edit in reversed(changes.edits):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source
