"""The open documents, kept as the editor changes them.

pygls keeps them, too, but splits lines where editors do not (at form feeds, for one), so its copy
goes wrong; it is not used.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from ttdirect.language_server.analysis.document import Document, Shift, kind_of
from ttdirect.language_server.lsp.convert import offset_of
from ttdirect.language_server.rules.catalogue import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttdirect.language_server.analysis.source import Span
    from ttdirect.language_server.rules.finding import Context, Finding
    from ttdirect.script.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Offer:
    """A recipe in the menu of a document: `why_not` says why it cannot be chosen."""

    recipe: Recipe
    why_not: str | None
    takes_out: bool = False


@dataclass
class Opened:
    """An open document.

    Args:
        document: as it is.
        version: the editor's number for this state.
        good: the last state that was not broken.
        menu: what recipes can do, and for which state.
    """

    document: Document
    version: int
    good: Document | None = None
    menu: tuple[Document, list[Offer]] | None = None
    _found: tuple[tuple[Document, Context, frozenset[str]], list[Finding]] | None = None

    def remember(self) -> None:
        """Keep this state as a good one, if it is."""
        if not self.document.is_broken:
            self.good = self.document

    def last_good(self) -> tuple[Document | None, Callable[[Span], Span | None]]:
        """The last good state, and where its parts are by now."""
        self.remember()
        if self.good is None or self.good is self.document:
            return self.good, lambda span: span
        return self.good, Shift(self.good.text, self.document.text)

    def findings(self, context: Context, off: frozenset[str]) -> list[Finding]:
        """What is wrong in it; while it is broken, what was wrong before and is still there."""
        good, moved = self.last_good()
        if good is None:
            return []
        asked = (good, context, off)
        if self._found is None or self._found[0] != asked:
            self._found = (asked, find(good, context, off))
        found = self._found[1]
        if good is self.document:
            return found
        placed = ((moved(it.span), it) for it in found)
        # A fix for the old text may not fit the new one.
        return [dataclasses.replace(it, span=span, fixes=()) for span, it in placed if span]


class Documents:
    """All open documents that are for us, by URI."""

    def __init__(self) -> None:
        self._opened: dict[str, Opened] = {}

    def __iter__(self) -> Iterator[Opened]:
        return iter(self._opened.values())

    def get(self, uri: str) -> Opened | None:
        """An open document, or None if it is not open or not for us."""
        return self._opened.get(uri)

    def open(self, item: types.TextDocumentItem) -> None:
        """Take in a document that the editor has opened."""
        kind = kind_of(item.language_id, item.uri)
        if kind is not None:
            self._opened[item.uri] = Opened(Document(item.uri, kind, item.text), item.version)

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Take in what was typed."""
        opened = self._opened.get(params.text_document.uri)
        if opened is None:
            return
        opened.remember()  # quick: only what was typed is parsed, and no facts are gathered
        for change in params.content_changes:
            old = opened.document
            if isinstance(change, types.TextDocumentContentChangePartial):
                start, end = (offset_of(old, it) for it in (change.range.start, change.range.end))
                text = f"{old.text[:start]}{change.text}{old.text[end:]}"
            else:
                text = change.text
            opened.document = Document(old.uri, old.kind, text, before=old)
        opened.version = params.text_document.version

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._opened.pop(uri, None)
