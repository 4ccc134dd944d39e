"""The commands of a shell text, word by word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.language_server.analysis.grammars import parse
from ttdirect.language_server.analysis.source import Span

if TYPE_CHECKING:
    from tree_sitter import Node

    from ttdirect.language_server.analysis.source import Source

_WORDS = frozenset({"word", "number", "raw_string", "string", "concatenation", "simple_expansion"})


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    Args:
        text: what the program gets, but with `$NAME` as it stands.
        span: where it stands, quotes included.
        inner: the offset in the parsed text at which `text` stands character by character; None
            where escapes or joined pieces make them differ.
        is_literal: whether the shell puts nothing into it.
    """

    text: str
    span: Span
    inner: int | None
    is_literal: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments.

    Args:
        words: the program's name and all its arguments.
        span: the whole command.
        is_whole: whether the parser made sense of all of it.
    """

    words: tuple[Word, ...]
    span: Span
    is_whole: bool

    def option(self, *names: str) -> Word | None:
        """The value of an option: `-w 4`, `--workers 4`, `--workers=4` and `-w4`."""
        for position, word in enumerate(self.words):
            for name in names:
                if word.text == name and position + 1 < len(self.words):
                    return self.words[position + 1]
                joined = f"{name}=" if name.startswith("--") else name
                if word.text.startswith(joined) and len(word.text) > len(joined):
                    end = word.span.end
                    return Word(
                        word.text[len(joined) :],
                        Span(end - len(word.text) + len(joined), end),
                        None,
                        word.is_literal,
                    )
        return None


def read_commands(source: Source) -> list[Command]:
    """The commands of a shell text, in order, those inside of loops and pipes included."""
    commands: list[Command] = []
    waiting = [parse("bash", source)]
    while waiting:
        node = waiting.pop()
        if node.type == "command":
            commands.append(_command(node, source))
        waiting.extend(node.named_children)
    return sorted(commands, key=lambda command: command.span)


def _command(node: Node, source: Source) -> Command:
    words: list[Word] = []
    for child in node.named_children:
        inner = (
            child.named_children[0]
            if child.type == "command_name" and child.named_children
            else child
        )
        if inner.type in _WORDS:
            words.append(_word(inner, source))
    return Command(tuple(words), source.span(node), is_whole=not node.has_error)


def _word(node: Node, source: Source) -> Word:
    text, span = source.of(node), source.span(node)
    start = source.character(node.start_byte)
    if node.type == "raw_string":
        return Word(text[1:-1], span, start + 1, is_literal=True)
    if node.type == "string":
        has_parts = any(it.type != "string_content" for it in node.named_children)
        inner = None if "\\" in text or has_parts else start + 1
        return Word(_unescaped(text[1:-1]), span, inner, is_literal=not has_parts)
    if node.type == "concatenation":
        parts = [_word(it, source) for it in node.named_children if it.type in _WORDS]
        return Word(
            "".join(it.text for it in parts), span, None, all(it.is_literal for it in parts)
        )
    is_literal = node.type != "simple_expansion" and "\\" not in text
    return Word(_unescaped(text), span, start if is_literal else None, is_literal)


def _unescaped(text: str) -> str:
    out, escaped = "", False
    for character in text:
        if escaped and character == "\n":
            pass
        elif escaped or character != "\\":
            out += character
        escaped = character == "\\" and not escaped
    return out
