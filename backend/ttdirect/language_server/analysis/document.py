"""A document that is being edited: its facts now, and the last ones from before it was broken."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from ttdirect.language_server.analysis.grammars import common_start, parse_again
from ttdirect.language_server.analysis.lines import LineIndex
from ttdirect.language_server.analysis.markdown import MarkdownFacts, read_markdown, read_shell
from ttdirect.language_server.analysis.python_reader import read_tree
from ttdirect.language_server.analysis.requests import requests_of_python
from ttdirect.language_server.analysis.source import Source, Span

if TYPE_CHECKING:
    from tree_sitter import Tree

    from ttdirect.language_server.analysis.python import PythonFacts
    from ttdirect.language_server.analysis.requests import Request

Kind = Literal["python", "markdown", "shell"]

_KINDS: dict[str, Kind] = {
    "python": "python",
    "markdown": "markdown",
    "shellscript": "shell",
    "sh": "shell",
    "bash": "shell",
    ".py": "python",
    ".md": "markdown",
    ".markdown": "markdown",
    ".sh": "shell",
}
# Words that only a text about this server, or about Tenstorrent's Generator, holds.
_OURS = ("ttdirect", "tt-api-server-direct", "tt_transformers", "tt-metal", "Tenstorrent")


def kind_of(language: str, path: str = "") -> Kind | None:
    """What a document is, by the editor's language or else by its name; None if not for us."""
    return _KINDS.get(language) or _KINDS.get(PurePosixPath(path).suffix.lower())


@dataclass(eq=False)
class Document:
    """One state of a document; its facts are gathered when they are first asked for.

    Args:
        uri: what the editor calls it.
        kind: what it is.
        text: all of it.
        before: the state before this one, whose syntax tree saves work.
    """

    uri: str
    kind: Kind
    text: str
    before: Document | None = None

    @functools.cached_property
    def lines(self) -> LineIndex:
        """Its lines."""
        return LineIndex(self.text)

    @functools.cached_property
    def source(self) -> Source:
        """The text as the parser of a Python file sees it."""
        return Source(self.text)

    @functools.cached_property
    def _tree(self) -> Tree:
        before = self.before
        self.before = None  # else every state ever typed would be kept
        # Only a tree that is there: making one now would be the work that this saves.
        tree = None if before is None else before.__dict__.get("_tree")
        old = None if before is None or tree is None else (before.source, tree)
        return parse_again("python", self.source, old)

    @functools.cached_property
    def python(self) -> PythonFacts | None:
        """What a Python file says."""
        return read_tree(self.source, self._tree) if self.kind == "python" else None

    @functools.cached_property
    def markdown(self) -> MarkdownFacts | None:
        """What a Markdown file or a shell script shows."""
        if self.kind == "markdown":
            return read_markdown(self.text, self.lines)
        return read_shell(self.text) if self.kind == "shell" else None

    @functools.cached_property
    def requests(self) -> list[Request]:
        """The requests in it."""
        if self.python is not None:
            return requests_of_python(self.python)
        return [] if self.markdown is None else self.markdown.requests

    @property
    def is_broken(self) -> bool:
        """Whether it is Python that does not parse, as while somebody types."""
        return self.kind == "python" and self._tree.root_node.has_error

    @functools.cached_property
    def is_ours(self) -> bool:
        """Whether it speaks of this server, and not of any other one."""
        return any(word in self.text for word in _OURS)


class Shift:
    """Where the parts of an older text are in a newer one.

    What both begin and end with stays known; a span that touches what lies between is lost.

    Args:
        old: the older text.
        new: the newer text.
    """

    def __init__(self, old: str, new: str) -> None:
        self._head = common_start(old, new)
        longest = min(len(old), len(new)) - self._head
        tail = common_start(old[::-1], new[::-1])
        self._tail_start = len(old) - min(tail, longest)
        self._by = len(new) - len(old)

    def __call__(self, span: Span) -> Span | None:
        """The span in the newer text, or None if it was touched."""
        if span.end <= self._head:
            return span
        if span.start >= self._tail_start:
            return Span(span.start + self._by, span.end + self._by)
        return None
