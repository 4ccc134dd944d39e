"""What the server is doing, also when it does not run: that is an answer, and no error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttdirect.cli.mcp_server.local_server import UnreachableError

if TYPE_CHECKING:
    from ttdirect.cli.errors import CommandError
    from ttdirect.cli.mcp_server.local_server import LocalServer


async def state_of(server: LocalServer) -> dict[str, Any]:
    """What `/health` says, with the server's address; `status` is "stopped" where none answers.

    Raises:
        CommandError: something else than a server of ours answers there.
    """
    try:
        return {"url": server.url, **await server.health()}
    except UnreachableError as error:
        return {"url": server.url, "status": "stopped", "note": sentences(error)}


def sentences(error: CommandError) -> str:
    """What happened and what to do, as two sentences for a model to read."""
    what = error.what.rstrip(".")
    return f"{what[:1].upper()}{what[1:]}. {error.fix[:1].upper()}{error.fix[1:]}."
