"""Diagnostics: given when the editor asks, or sent where it cannot ask."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lsprotocol import types

from ttdirect.language_server.lsp.convert import diagnostic_of

if TYPE_CHECKING:
    from ttdirect.language_server.lsp.server import Server


def pull(server: Server, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
    """Answer an editor that asks; "unchanged" where nothing has."""
    items = _diagnostics(server, params.text_document.uri)
    result_id = hashlib.blake2b(repr(items).encode("utf-8", "replace"), digest_size=12).hexdigest()
    if params.previous_result_id == result_id:
        return types.RelatedUnchangedDocumentDiagnosticReport(result_id)
    return types.RelatedFullDocumentDiagnosticReport(items, result_id=result_id)


def push(server: Server, uri: str) -> None:
    """Send the diagnostics of a document as it is now."""
    opened = server.documents.get(uri)
    if opened is None:
        return
    server.text_document_publish_diagnostics(
        types.PublishDiagnosticsParams(uri, _diagnostics(server, uri), opened.version)
    )


def _diagnostics(server: Server, uri: str) -> list[types.Diagnostic]:
    opened = server.documents.get(uri)
    if opened is None:
        return []
    found = opened.findings(server.context, server.settings.off)
    return [diagnostic_of(opened.document, it, server.settings.catalogue) for it in found]
