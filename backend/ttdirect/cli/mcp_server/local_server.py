"""The server that answers, as the tools see it: HTTP that ends at once when a tool is cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2

from ttdirect.cli.connection import cut_short, error_sentence, is_loopback, normalised, start_hint
from ttdirect.cli.errors import CommandError
from ttdirect.cli.json_values import json_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from typing_extensions import Self

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 10
# Between two bytes of a stream. The server sends comments while it has nothing to say.
_SILENCE_SECONDS = 120


class UnreachableError(CommandError):
    """Nothing answers at the server's address."""


class LocalServer:
    """A server of ours.

    Args:
        url: its address.
        api_key: opens it, where it has keys.

    Raises:
        UsageError: `url` is no address.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self.url = normalised(url).removesuffix("/v1")
        self._http = httpx2.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            # A proxy from the environment cannot reach this computer's own loopback.
            trust_env=not is_loopback(self.url),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def health(self) -> dict[str, Any]:
        """What `/health` says, whether or not the model is ready.

        Raises:
            UnreachableError: nothing answers there.
            CommandError: something else than a server of ours does.
        """
        report = json_object((await self._get("/health")).content)
        if "model_loaded" not in report:
            raise CommandError(
                f"what answers on {self.url} is not a TT Direct API server",
                fix="give the server's address with --url",
            )
        return report

    async def read(self, path: str) -> bytes:
        """What a route answers to GET.

        Raises:
            UnreachableError: nothing answers there.
            CommandError: the server refuses.
        """
        response = await self._get(path)
        if response.status_code != 200:
            raise _refusal(response)
        return response.content

    async def ask(
        self, fields: Mapping[str, Any], on_piece: Callable[[str], Awaitable[None]]
    ) -> dict[str, Any]:
        """Ask the model; cancelling this closes the connection, which frees the server's slot.

        Args:
            fields: the body of `POST /chat/stream`.
            on_piece: gets each piece of the answer as it comes.

        Returns:
            The answer and its figures, as `POST /chat` gives them.

        Raises:
            UnreachableError: nothing answers there.
            CommandError: the server refuses, fails, or goes away before the answer is complete.
        """
        timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        try:
            # The last event holds the prompt as well, which can be as long as the server reads.
            async with self._http.sse(
                "/chat/stream",
                method="POST",
                json=dict(fields),
                timeout=timeout,
                max_event_size=None,
            ) as events:
                if events.response.status_code != 200:
                    await events.response.aread()
                    raise _refusal(events.response)
                async for event in events:
                    said = json_object(event.data)
                    if "error" in said:
                        raise _failure(error_sentence(said))
                    if "tokens_generated" in said:
                        return said
                    await on_piece(str(said.get("text", "")))
        except httpx2.HTTPError as error:
            raise self._explained(error) from error
        raise cut_short()

    async def _get(self, path: str) -> httpx2.Response:
        try:
            return await self._http.get(path)
        except httpx2.HTTPError as error:
            raise self._explained(error) from error

    def _explained(self, error: httpx2.HTTPError) -> CommandError:
        if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)):
            return UnreachableError(f"no server answers on {self.url}", fix=start_hint(self.url))
        if isinstance(error, httpx2.ReadTimeout):
            return CommandError(
                f"{self.url} accepted the request and then stayed silent",
                fix="look at the server's terminal, and start the server again if it hangs",
            )
        return cut_short()


def _refusal(response: httpx2.Response) -> CommandError:
    sentence = error_sentence(json_object(response.content))
    status = response.status_code
    if not sentence:
        sentence = f"the server answered with status {status}"
    retry_after = response.headers.get("Retry-After", "1")
    match status:
        case 401:
            fix = "put the server's API key into TTDIRECT_API_KEY where this command is started"
        case 429 | 503:
            fix = f"try again in {retry_after} s"
        case 400 | 413:
            fix = "change the request"
        case _:
            fix = "look at the server's terminal"
    return CommandError(sentence, fix=fix)


def _failure(sentence: str) -> CommandError:
    return CommandError(
        sentence or "the server failed without saying why",
        fix="ask again; the server's terminal may say more",
    )
