"""Answers about one place of one document, in the protocol's types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from ttdirect.language_server.assist.completion import complete
from ttdirect.language_server.assist.hovers import hover_at, signature_at
from ttdirect.language_server.assist.lenses import lenses
from ttdirect.language_server.assist.links import links
from ttdirect.language_server.lsp.convert import offset_of, range_of

if TYPE_CHECKING:
    from pathlib import Path

    from ttdirect.language_server.lsp.documents import Opened


def hover(opened: Opened, position: types.Position) -> types.Hover | None:
    """What stands under the cursor."""
    document = opened.document
    found = hover_at(document, offset_of(document, position))
    if found is None:
        return None
    return types.Hover(_markdown(found.text), range_of(document, found.span))


def signature_help(opened: Opened, position: types.Position) -> types.SignatureHelp | None:
    """The signature of the call that is being written."""
    document = opened.document
    opened.remember()
    found = signature_at(document, offset_of(document, position), opened.good)
    if found is None:
        return None
    entry = found.entry
    parameters = [
        types.ParameterInformation(text, documentation=entry.arguments.get(_name(text)))
        for text in entry.parameters
    ]
    # One behind the last means "none of them"; null is not understood by every editor.
    active = len(parameters) if found.active is None else found.active
    signature = types.SignatureInformation(
        entry.signature, _markdown(entry.text), parameters, active_parameter=active
    )
    return types.SignatureHelp([signature], 0, active)


def completion(opened: Opened, position: types.Position) -> list[types.CompletionItem]:
    """What may be written into the body of a request."""
    document = opened.document
    kinds = types.CompletionItemKind
    return [
        types.CompletionItem(
            it.label,
            kind=kinds.Value if it.is_value else kinds.Field,
            documentation=_markdown(it.detail),
            text_edit=types.TextEdit(range_of(document, it.span), it.text),
            filter_text=it.text,
            sort_text=f"{it.rank:04}",
        )
        for it in complete(document, offset_of(document, position))
    ]


def code_lenses(opened: Opened, base: str) -> list[types.CodeLens]:
    """What can be done above the lines of a document."""
    # Lenses that came and went with every letter would make the text jump.
    good, moved = opened.last_good()
    found = [] if good is None else lenses(good, base)
    placed = ((moved(it.span), it) for it in found)
    return [
        types.CodeLens(
            range_of(opened.document, span),
            types.Command(it.title, it.command, arguments=list(it.arguments) or None),
        )
        for span, it in placed
        if span is not None
    ]


def document_links(opened: Opened, script: Path | None) -> list[types.DocumentLink]:
    """Where parts of a document lead."""
    document = opened.document
    return [
        types.DocumentLink(range_of(document, it.span), target=it.target, tooltip=it.tooltip)
        for it in links(document, script)
    ]


def _markdown(text: str) -> types.MarkupContent:
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def _name(parameter: str) -> str:
    """The name in a parameter as it is written: `seed` of `seed: int | None = None`."""
    return parameter.lstrip("*").partition(":")[0].partition("=")[0].strip()
