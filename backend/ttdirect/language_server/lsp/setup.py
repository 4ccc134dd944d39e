"""What the server can do: every feature is registered here, and does its work elsewhere."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from lsprotocol import types
from pygls.capabilities import get_capability

from ttdirect.language_server.analysis.document import Document
from ttdirect.language_server.lsp import actions, answers, diagnostics
from ttdirect.language_server.lsp.convert import path_of
from ttdirect.language_server.lsp.figures import Measurements
from ttdirect.language_server.lsp.server import Server, Settings
from ttdirect.language_server.rules.catalogue import find
from ttdirect.language_server.rules.finding import Context

if TYPE_CHECKING:
    from ttdirect.language_server.lsp.documents import Opened

SERVER_CHANGED = "ttdirect/serverChanged"
"""A notification for us: the user's server has started, stopped or answered."""

_EXAMPLE = "ttdirect\n\n```sh\ncurl http://127.0.0.1:8080/chat -d '{}'\n```\n"


class _AboutDocument(Protocol):
    @property
    def text_document(self) -> types.TextDocumentIdentifier: ...


def make_server() -> Server:
    """A server with all its features."""
    server = Server()
    measurements = Measurements(server)

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.settings = Settings.of(params.initialization_options)
        folders = [it.uri for it in params.workspace_folders or []] or [params.root_uri or ""]
        paths = [path_of(uri) for uri in folders]
        server.folders = [path for path in paths if path is not None]
        _choose_diagnostics(server, params.capabilities)

    @server.feature(types.INITIALIZED)
    def initialized(_params: types.InitializedParams) -> None:
        server.pool.submit(warm_up)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configured(params: types.DidChangeConfigurationParams) -> None:
        given = params.settings
        values = cast("dict[str, Any]", given).get("ttdirect") if isinstance(given, dict) else None
        if values is None:
            return
        server.settings = Settings.of(values)
        _say_again(server)

    @server.feature(SERVER_CHANGED)
    def server_changed(_params: Any) -> None:
        measurements.refresh()
        _say_again(server)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=actions.KINDS, resolve_provider=True),
    )
    async def code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        return await actions.actions(server, params)

    @server.feature(types.CODE_ACTION_RESOLVE)
    def code_action_resolve(action: types.CodeAction) -> types.CodeAction:
        return actions.resolve(server, action)

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def inlay_hint(params: types.InlayHintParams) -> list[types.InlayHint]:
        return measurements.hints(params)

    _register_answers(server)
    return server


def warm_up() -> None:
    """Import what Markdown and recipes will need, while nobody waits for it."""
    find(Document("", "markdown", _EXAMPLE), Context())
    import_module("ttdirect.script.recipes")


def _choose_diagnostics(server: Server, capabilities: types.ClientCapabilities) -> None:
    """Let the editor ask if it can be told to ask again; else send. Never both."""
    asks = get_capability(capabilities, "text_document.diagnostic", None) is not None
    told = get_capability(capabilities, "workspace.diagnostics.refresh_support", False)
    server.pushes = not (asks and told)
    if server.pushes:
        return

    @server.feature(
        types.TEXT_DOCUMENT_DIAGNOSTIC,
        types.DiagnosticOptions(
            inter_file_dependencies=True, workspace_diagnostics=False, identifier="ttdirect"
        ),
    )
    def diagnostic(params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        return diagnostics.pull(server, params)


def _say_again(server: Server) -> None:
    if server.pushes:
        for opened in server.documents:
            server.changed(opened.document.uri)
    else:
        server.workspace_diagnostic_refresh(None)
    if get_capability(server.client_capabilities, "workspace.code_lens.refresh_support", False):
        server.workspace_code_lens_refresh(None)


def _register_answers(server: Server) -> None:
    """The features that answer about one place of one document."""

    def opened(params: _AboutDocument) -> Opened | None:
        return server.documents.get(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> types.Hover | None:
        it = opened(params)
        return None if it is None else answers.hover(it, params.position)

    @server.feature(
        types.TEXT_DOCUMENT_SIGNATURE_HELP,
        types.SignatureHelpOptions(trigger_characters=["(", ","]),
    )
    def signature_help(params: types.SignatureHelpParams) -> types.SignatureHelp | None:
        it = opened(params)
        return None if it is None else answers.signature_help(it, params.position)

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=['"', "'", "{"])
    )
    def completion(params: types.CompletionParams) -> list[types.CompletionItem]:
        it = opened(params)
        return [] if it is None else answers.completion(it, params.position)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def code_lens(params: types.CodeLensParams) -> list[types.CodeLens]:
        it = opened(params)
        has_commands = server.settings.editor_commands
        return answers.code_lenses(it, server.base) if it and has_commands else []

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_LINK)
    def document_link(params: types.DocumentLinkParams) -> list[types.DocumentLink]:
        it = opened(params)
        return [] if it is None else answers.document_links(it, server.script)
