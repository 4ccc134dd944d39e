"""Measured figures as inlay hints: fetched beside the answers, never while the editor waits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.capabilities import get_capability

from ttdirect.language_server.assist.figures import (
    Counters,
    address_of_script,
    fetch_metrics,
    hints,
)
from ttdirect.language_server.lsp.convert import path_of, position_of, span_of

if TYPE_CHECKING:
    from ttdirect.language_server.lsp.server import Server

_FRESH_SECONDS = 5.0


class Measurements:
    """Knows the figures of the server that runs each script."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._looked: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def hints(self, params: types.InlayHintParams) -> list[types.InlayHint]:
        """The hints that are known now; newer figures make the editor ask again."""
        uri = params.text_document.uri
        opened = self._server.documents.get(uri)
        if opened is None or opened.document.kind != "python":
            return []
        self._look_again(uri)
        document = opened.document
        if document.is_broken:
            return []
        counters = self._server.counters.get(uri)
        figures = None if counters is None else counters.figures
        return [
            types.InlayHint(
                position_of(document, hint.offset),
                hint.label,
                tooltip=hint.tooltip,
                padding_left=True,
            )
            for hint in hints(document, figures, span_of(document, params.range))
        ]

    def refresh(self) -> None:
        """Look at the servers of all open scripts, for something has happened there."""
        self._looked.clear()
        for opened in self._server.documents:
            if opened.document.kind == "python":
                self._look_again(opened.document.uri)

    def _look_again(self, uri: str) -> None:
        if time.monotonic() - self._looked.get(uri, -_FRESH_SECONDS) < _FRESH_SECONDS:
            return
        self._looked[uri] = time.monotonic()
        task = asyncio.get_running_loop().create_task(self._look(uri))
        self._tasks.add(task)  # the loop itself keeps only a weak hold of it
        task.add_done_callback(self._tasks.discard)

    async def _look(self, uri: str) -> None:
        path, server = path_of(uri), self._server
        loop = asyncio.get_running_loop()

        def ask() -> str | None:
            given = server.settings.server_url
            address = given or (address_of_script(str(path)) if path is not None else None)
            return fetch_metrics(address) if address else None

        text = await loop.run_in_executor(server.pool, ask)
        if text is None or server.documents.get(uri) is None:
            return
        changed = server.counters.setdefault(uri, Counters()).update(text)
        can_refresh = get_capability(
            server.client_capabilities, "workspace.inlay_hint.refresh_support", False
        )
        if changed and can_refresh:
            server.workspace_inlay_hint_refresh(None)
