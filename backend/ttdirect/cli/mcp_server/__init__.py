"""The Model Context Protocol over standard input and output, in front of a running server.

Imports the package `mcp`, which is optional: only `ttdirect mcp` comes here.
"""

from __future__ import annotations

import functools

import anyio
from mcp.server import MCPServer

import ttdirect
from ttdirect.cli.mcp_server.local_server import LocalServer
from ttdirect.cli.mcp_server.resources import add_resources
from ttdirect.cli.mcp_server.tools import add_tools

_INSTRUCTIONS = (
    "A language model that runs on the user's own computer, behind a TT Direct API server. It is "
    "small and private: good for short questions, drafts and tests of the server, not for hard "
    "reasoning. Look at server_health before you ask it much."
)


def serve(url: str, api_key: str | None, script: str) -> None:
    """Serve until standard input ends.

    Args:
        url: the address of the server that answers.
        api_key: opens it, where it has keys.
        script: path of its script, where the running server does not name it itself.

    Raises:
        UsageError: If `url` is no address.
    """
    anyio.run(functools.partial(_serve, url, api_key, script))


async def _serve(url: str, api_key: str | None, script: str) -> None:
    async with LocalServer(url, api_key) as server:
        # Its log goes to standard error, which clients show when something is wrong.
        mcp = MCPServer(
            "tt-direct-api",
            title="TT Direct API",
            version=ttdirect.__version__,
            instructions=_INSTRUCTIONS,
            log_level="WARNING",
        )
        add_tools(mcp, server)
        add_resources(mcp, server, script)
        await mcp.run_stdio_async()
