"""The parsers, each made when it is first needed. They read broken text, too."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Literal, TypeVar

from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

    from ttdirect.language_server.analysis.source import Source

Grammar = Literal["python", "bash", "json"]

Text = TypeVar("Text", str, bytes)


def parse(grammar: Grammar, source: Source) -> Node:
    """The root of the syntax tree of a text."""
    return _parser(grammar).parse(source.data).root_node


def parse_again(grammar: Grammar, source: Source, old: tuple[Source, Tree] | None) -> Tree:
    """The syntax tree of a text.

    Args:
        grammar: its language.
        source: the text.
        old: the tree of a text much like it, whose unchanged parts need no second look.
    """
    if old is None:
        return _parser(grammar).parse(source.data)
    before, tree = old[0].data, copy.copy(old[1])
    head = common_start(before, source.data)
    tail = min(
        common_start(before[::-1], source.data[::-1]),
        min(len(before), len(source.data)) - head,
    )
    old_end, new_end = len(before) - tail, len(source.data) - tail
    tree.edit(
        start_byte=head,
        old_end_byte=old_end,
        new_end_byte=new_end,
        start_point=_point(before, head),
        old_end_point=_point(before, old_end),
        new_end_point=_point(source.data, new_end),
    )
    return _parser(grammar).parse(source.data, old_tree=tree)


def common_start(one: Text, other: Text) -> int:
    """How far two texts are alike from their beginning; by halves, for comparing is quick."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _point(data: bytes, offset: int) -> tuple[int, int]:
    line_start = data.rfind(b"\n", 0, offset) + 1
    return data.count(b"\n", 0, offset), offset - line_start


@functools.cache
def _parser(grammar: Grammar) -> Parser:
    # Imported here, because a Python file needs only one of them.
    if grammar == "python":
        import tree_sitter_python  # noqa: PLC0415

        language = tree_sitter_python.language()
    elif grammar == "bash":
        import tree_sitter_bash  # noqa: PLC0415

        language = tree_sitter_bash.language()
    else:
        import tree_sitter_json  # noqa: PLC0415

        language = tree_sitter_json.language()
    return Parser(Language(language))
