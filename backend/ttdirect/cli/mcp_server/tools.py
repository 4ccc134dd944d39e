"""What agents can do: ask the model, and look how the server is."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

from mcp.server.mcpserver import Context  # noqa: TC002 - the library reads the annotations
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

from ttdirect.cli.errors import CommandError
from ttdirect.cli.json_values import json_object, objects_in
from ttdirect.cli.mcp_server.figures import Figures, figures_of
from ttdirect.cli.mcp_server.notes import Crash, crashes
from ttdirect.cli.mcp_server.state import sentences, state_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server import MCPServer

    from ttdirect.cli.mcp_server.local_server import LocalServer

SHOWN_CHARACTERS = 200
"""So much of the answer's end goes with each report of progress."""

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Answer(BaseModel):
    """What the model said, and what that took."""

    response: str
    finish_reason: str = Field(description='"stop", or "length" when max_tokens was reached.')
    tokens_generated: int
    time_seconds: float
    tokens_per_second: float
    ttft_seconds: float = Field(description="Time to the first token.")
    queue_seconds: float = Field(description="Time that the request waited for a slot.")


class Counted(BaseModel):
    """Failures that a server has counted since its model was loaded."""

    failed_steps: int = Field(description="Steps in which the model raised an error.")
    broken_answers: dict[str, int] = Field(description="Answers that did not come, by reason.")
    refused: dict[str, int] = Field(description="Requests that were not admitted, by reason.")
    http_errors: dict[str, int] = Field(description="Errors that were answered, by route.")


class Failures(BaseModel):
    """What went wrong lately."""

    crashes: list[Crash] = Field(description="Servers of this user that gave up, latest first.")
    status: str = Field(description="The server's state now.")
    note: str = Field(description="What the server says of its state.")
    counted: Counted | None = Field(description="By the running server; null where none runs.")


def add_tools(mcp: MCPServer[Any], server: LocalServer) -> None:
    """Add the tools.

    Args:
        mcp: gets them.
        server: what they ask.
    """
    tools = Tools(server)
    looks = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    # An answer changes nothing, but it takes the user's computer for a while.
    asks = ToolAnnotations(read_only_hint=True, idempotent_hint=False, open_world_hint=False)
    for function, title, hints in (
        (tools.ask_model, "Ask the local model", asks),
        (tools.server_health, "Server health", looks),
        (tools.server_metrics, "Server metrics", looks),
        (tools.list_models, "List the models", looks),
        (tools.recent_failures, "Recent failures", looks),
    ):
        description = " ".join((function.__doc__ or "").split())
        mcp.add_tool(function, title=title, description=description, annotations=hints)


def _told(tool: Callable[_Given, Awaitable[_Result]]) -> Callable[_Given, Awaitable[_Result]]:
    """The tool, its failures told to the model as two sentences."""

    @functools.wraps(tool)
    async def told(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            return await tool(*args, **kwargs)
        except CommandError as error:
            raise ToolError(sentences(error)) from error

    return told


class Tools:
    """The tools; the docstring of each is what agents read of it."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    @_told
    async def ask_model(
        self,
        prompt: Annotated[str, Field(min_length=1, description="What to ask.")],
        ctx: Context[Any, Any],
        max_tokens: Annotated[
            int, Field(ge=1, le=2048, description="The answer's longest length.")
        ] = 256,
        temperature: Annotated[
            float, Field(ge=0, le=2, description="0 for the likeliest answer, more for variety.")
        ] = 0.0,
        system: Annotated[
            str | None, Field(description="How the model should behave, if that is to be said.")
        ] = None,
    ) -> Answer:
        """Ask the language model that runs on the user's own computer one question.

        Gives its whole answer, with the time that it took. The model is small and knows nothing of
        this conversation; the prompt stays on that computer. Fails with a sentence when no server
        runs or its model is still loading.
        """
        fields: dict[str, Any] = {
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": temperature,
        }
        if system is not None:
            fields["system"] = system
        count, end = 0, ""

        async def report(piece: str) -> None:
            nonlocal count, end
            count, end = count + 1, (end + piece)[-SHOWN_CHARACTERS:]
            await ctx.report_progress(count, max_tokens, end)

        return Answer.model_validate(await self._server.ask(fields, report))

    @_told
    async def server_health(self) -> dict[str, Any]:
        """Tell what the user's model server is doing.

        Gives its status ("healthy", "loading", "draining", "failed", or "stopped" when none runs)
        with a note that says why, the model, the device, and how many requests run and wait.
        """
        return await state_of(self._server)

    @_told
    async def server_metrics(self) -> Figures:
        """Sum up what the user's model server has counted since it started.

        Gives requests and how they ended, tokens, mean times to the first token and between
        tokens, cache use, refusals and errors.
        """
        return await self._figures()

    @_told
    async def list_models(self) -> dict[str, Any]:
        """List the names under which the user's model server answers.

        Gives with each its max_model_len: the tokens that prompt and answer may have together.
        """
        report = json_object(await self._server.read("/v1/models"))
        return {
            "models": [
                {name: entry.get(name) for name in ("id", "max_model_len")}
                for entry in objects_in(report, "data")
            ]
        }

    @_told
    async def recent_failures(self) -> Failures:
        """Tell what went wrong with the user's model server lately.

        Gives the servers that gave up, each with the reason and what to do about it, and the
        failures that the running server has counted.
        """
        state = await state_of(self._server)
        counted = None
        if state["status"] != "stopped":
            figures = await self._figures()
            counted = Counted(
                failed_steps=figures.failed_steps,
                broken_answers={
                    reason: count
                    for reason, count in figures.finished.items()
                    if reason in ("abort", "deadline", "error")
                },
                refused=figures.refused,
                http_errors=figures.http_errors,
            )
        return Failures(
            crashes=crashes(), status=state["status"], note=state["note"], counted=counted
        )

    async def _figures(self) -> Figures:
        return figures_of((await self._server.read("/metrics")).decode())
