"""What kind of server is at an address, and which model of it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.cli.client import LessonServer, OpenAIServer
from ttdirect.cli.connection import refusal
from ttdirect.cli.errors import UsageError
from ttdirect.cli.json_values import json_object, objects_in, text_in
from ttdirect.cli.readiness import get_when_loaded, wait_until_ready
from ttdirect.cli.terminal import neutralise

if TYPE_CHECKING:
    from ttdirect.cli.connection import Connection

_SHOWN_MODELS = 8


def open_server(
    connection: Connection, *, model: str | None, wait: bool
) -> LessonServer | OpenAIServer:
    """Return the server that `connection` leads to, ready to answer.

    A server of ours is known by its `/health`, every other one by its `/v1/models`.

    Raises:
        CommandError: If nothing answers there or something else does, or the server will not
            become ready, or it wants another key.
        UsageError: If it has several models and none was named.
    """
    root = connection.url.removesuffix("/v1")
    health = wait_until_ready(connection, root, wait=wait)
    response = get_when_loaded(connection, f"{root}/v1/models", wait=wait)
    if response.status_code in (401, 403, 503):
        raise refusal(response)
    report = json_object(response.content)
    if response.status_code == 200 and isinstance(report.get("data"), list):
        names = [text_in(entry, "id") for entry in objects_in(report, "data")]
        # A server of ours has one model; further names are its aliases.
        own = names[:1] if health else names
        return OpenAIServer(connection, f"{root}/v1", model or _only_one(own))
    if health is None:
        raise connection.stranger()
    return LessonServer(connection, root, health.model)


def _only_one(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    shown = ", ".join(neutralise(name) for name in names[:_SHOWN_MODELS])
    more = f" and {len(names) - _SHOWN_MODELS} more" if len(names) > _SHOWN_MODELS else ""
    what = f"the server has several models: {shown}{more}" if names else "the server names no model"
    raise UsageError(what, fix="choose one with --model NAME")
