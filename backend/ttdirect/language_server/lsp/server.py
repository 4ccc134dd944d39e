"""The server's state, and how it starts: quietly, and with the wire for itself."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

import ttdirect
from ttdirect.language_server.analysis.document import Document
from ttdirect.language_server.assist.surroundings import (
    context_of,
    find_clone,
    find_script,
    in_home,
)
from ttdirect.language_server.lsp.convert import path_of
from ttdirect.language_server.lsp.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from ttdirect.language_server.assist.figures import Counters
    from ttdirect.language_server.rules.finding import Context

log = logging.getLogger(__name__)

DEFAULT_PORT = 8080


@dataclass(frozen=True)
class Settings:
    """What the editor tells, as `initializationOptions` or under "ttdirect" in its configuration.

    Args:
        script_path: the user's script.
        port: the server's port, where the user has set it.
        tt_metal_folder: the clone of tt-metal.
        server_url: the address of the server to show figures of; "" to look for it.
        catalogue: the address of docs/diagnostics.md, for links from diagnostics.
        off: codes of rules that are switched off.
        editor_commands: whether the editor has the commands that lenses name.
    """

    script_path: str = ""
    port: int | None = None
    tt_metal_folder: str = ""
    server_url: str = ""
    catalogue: str = ""
    off: frozenset[str] = field(default_factory=frozenset[str])
    editor_commands: bool = False

    @staticmethod
    def of(given: object) -> Settings:
        """The settings that an editor has sent; what is unknown or of a wrong type is ignored."""
        values: Mapping[str, Any] = (
            cast("Mapping[str, Any]", given) if isinstance(given, dict) else {}
        )

        def text(name: str) -> str:
            value = values.get(name)
            return value if isinstance(value, str) else ""

        port, off = values.get("port"), values.get("off")
        codes = cast("list[Any]", off) if isinstance(off, list) else []
        return Settings(
            text("scriptPath"),
            port if isinstance(port, int) and not isinstance(port, bool) else None,
            text("ttMetalFolder"),
            text("serverUrl"),
            text("catalogue"),
            frozenset(str(code) for code in codes),
            values.get("editorCommands") is True,
        )


class Protocol(LanguageServerProtocol):
    """pygls' protocol with our documents, and with columns in UTF-16, which every editor has."""

    @property
    def _ours(self) -> Server:
        return cast("Server", self._server)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Answer with what the server can do."""
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = [types.PositionEncodingKind.Utf16]
        return (yield from super().lsp_initialize(params))

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(
        self, params: types.DidOpenTextDocumentParams
    ) -> Generator[Any, Any, None]:
        """Take in a document."""
        self._ours.documents.open(params.text_document)
        self._ours.changed(params.text_document.uri)
        yield from ()  # pygls wants generators here, for the handlers that they call

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(
        self, params: types.DidChangeTextDocumentParams
    ) -> Generator[Any, Any, None]:
        """Take in what was typed."""
        self._ours.documents.change(params)
        self._ours.changed(params.text_document.uri)
        yield from ()  # pygls wants generators here, for the handlers that they call

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(
        self, params: types.DidCloseTextDocumentParams
    ) -> Generator[Any, Any, None]:
        """Forget a document."""
        self._ours.documents.close(params.text_document.uri)
        self._ours.closed(params.text_document.uri)
        yield from ()  # pygls wants generators here, for the handlers that they call


class Server(LanguageServer):
    """The language server. `setup.py` registers what it can do."""

    def __init__(self) -> None:
        self.documents = Documents()
        self.settings = Settings()
        self.folders: list[Path] = []
        self.counters: dict[str, Counters] = {}
        self.pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="ttdirect")
        """For what waits: pygls' own pool reads the wire, and must stay free."""
        self.pushes = False
        self._context: tuple[object, Context] | None = None
        self._pending: dict[str, asyncio.TimerHandle] = {}
        super().__init__("ttdirect", ttdirect.__version__, protocol_cls=Protocol)  # pyright: ignore[reportUnknownMemberType]

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log an error; a popup for each would be in the way."""
        log.error("%s: %s", source, error)

    @property
    def script(self) -> Path | None:
        """The user's script, if it is there."""
        named = self.settings.script_path
        return find_script(self.folders, in_home(named) if named else None)

    @property
    def context(self) -> Context:
        """What rules know beyond a document: read again when a file or a setting has changed."""
        script, clone = self.script, find_clone(self.settings.tt_metal_folder or None)
        opened = None
        for it in self.documents:
            if script is not None and path_of(it.document.uri) == script:
                it.remember()
                opened = it.good
        state = (script, _time_of(script) if opened is None else id(opened), clone, self.settings)
        if self._context is None or self._context[0] != state:
            context = context_of(opened or _read(script), self.settings.port, clone)
            if self._context is not None and context == self._context[1]:
                context = self._context[1]  # the same one, so that nothing is looked at again
            self._context = (state, context)
        return self._context[1]

    @property
    def base(self) -> str:
        """The address of the user's server, as far as one knows."""
        port = self.settings.port or self.context.script_port or DEFAULT_PORT
        return self.settings.server_url.rstrip("/") or f"http://127.0.0.1:{port}"

    def changed(self, uri: str) -> None:
        """Say what is wrong in a document shortly, where the editor does not ask for it."""
        if not self.pushes:
            return
        if uri in self._pending:
            self._pending.pop(uri).cancel()
        loop = asyncio.get_running_loop()
        self._pending[uri] = loop.call_later(0.15, self._push, uri)

    def closed(self, uri: str) -> None:
        """Take back what was said of a document."""
        if uri in self._pending:
            self._pending.pop(uri).cancel()
        if self.pushes:
            nothing = types.PublishDiagnosticsParams(uri, [])
            self.text_document_publish_diagnostics(nothing)

    def _push(self, uri: str) -> None:
        from ttdirect.language_server.lsp.diagnostics import push  # noqa: PLC0415 - it imports us

        self._pending.pop(uri, None)
        push(self, uri)


def _time_of(path: Path | None) -> float:
    with contextlib.suppress(OSError):
        return 0.0 if path is None else path.stat().st_mtime
    return 0.0


def _read(path: Path | None) -> Document | None:
    if path is None:
        return None
    try:
        return Document(path.as_uri(), "python", path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def serve_stdio() -> None:
    """Serve on standard input and output until the editor ends it.

    Whatever else writes to standard output, in this process or one that it starts, would break the
    protocol. So the protocol gets a copy of it, and the rest goes to standard error.
    """
    from ttdirect.language_server.lsp.setup import make_server  # noqa: PLC0415 - it imports us

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs what is typed
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    server = make_server()
    gc.freeze()  # what is there now stays: no need to look through it again
    gc.set_threshold(10_000, 5, 2)  # facts hold each other, and new ones come with each letter
    gc.enable()
    server.start_io(sys.stdin.buffer, wire)
