"""What agents can read: the server's script, and its health."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from ttdirect.cli.connection import is_loopback
from ttdirect.cli.mcp_server.notes import script_of
from ttdirect.cli.mcp_server.state import state_of

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from ttdirect.cli.mcp_server.local_server import LocalServer

SCRIPT, HEALTH = "ttdirect://script", "ttdirect://health"


def add_resources(mcp: MCPServer[Any], server: LocalServer, script: str) -> None:
    """Add the resources.

    Args:
        mcp: gets them.
        server: whose script and health they are.
        script: path of the script, where the running server does not name it itself.
    """

    def read_script() -> str:
        return _text_of(_script_path(server.url, script))

    async def read_health() -> dict[str, Any]:
        return await state_of(server)

    mcp.resource(
        SCRIPT,
        name="script",
        title="The server's script",
        description="The Python script that the user owns: settings, model, routes, start, stop.",
        mime_type="text/x-python",
    )(read_script)
    mcp.resource(
        HEALTH,
        name="health",
        title="The server's health",
        description="What the server is doing now: its state, model, device and load.",
        mime_type="application/json",
    )(read_health)


def _script_path(url: str, script: str) -> Path:
    if not is_loopback(url):
        raise ResourceError(f"The server {url} runs on another computer; its script is there.")
    return script_of(url) or Path(script).expanduser()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ResourceNotFoundError(
            f"There is no script {path}. Write one with: ttdirect create"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceError(f"{path} cannot be read: {error}.") from error
