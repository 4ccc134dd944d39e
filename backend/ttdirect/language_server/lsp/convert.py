"""Between our offsets and the protocol's positions, and between our findings and its types."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.rules.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.rules.finding import Edit, Finding

SOURCE = "ttdirect"

_SEVERITIES = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFORMATION: types.DiagnosticSeverity.Information,
}


def position_of(document: Document, offset: int) -> types.Position:
    """The position of an offset."""
    return types.Position(*document.lines.place(offset))


def offset_of(document: Document, position: types.Position) -> int:
    """The offset of a position."""
    return document.lines.offset(position.line, position.character)


def range_of(document: Document, span: Span) -> types.Range:
    """The range of a span."""
    return types.Range(position_of(document, span.start), position_of(document, span.end))


def span_of(document: Document, area: types.Range) -> Span:
    """The span of a range."""
    return Span(offset_of(document, area.start), offset_of(document, area.end))


def text_edits(document: Document, edits: Iterable[Edit]) -> list[types.TextEdit]:
    """Our edits as the protocol's."""
    return [types.TextEdit(range_of(document, it.span), it.text) for it in edits]


def diagnostic_of(document: Document, finding: Finding, catalogue: str) -> types.Diagnostic:
    """A finding as a diagnostic.

    Args:
        document: where it is.
        finding: what was found.
        catalogue: the address of docs/diagnostics.md, or "".
    """
    page = f"{catalogue}#{finding.code.lower()}" if catalogue else ""
    return types.Diagnostic(
        range=range_of(document, finding.span),
        message=finding.message,
        severity=_SEVERITIES[finding.severity],
        code=finding.code,
        code_description=types.CodeDescription(page) if page else None,
        source=SOURCE,
    )


def path_of(uri: str) -> Path | None:
    """The file of a URI, or None if it is none."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
