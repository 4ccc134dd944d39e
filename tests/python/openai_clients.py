"""Clients that people use with OpenAI's API, behind one shape, so that tests can share cases.

Each client of `CLIENTS` has the same methods: `ask`, `stream` and `pieces`. Those whose package
is missing skip their tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
import requests

MODEL = "fake-1b"

OPENAI_ERRORS: dict[int, type[Exception]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    503: openai.InternalServerError,
}
"""What the packages that are built on OpenAI's raise for each status."""


@dataclass(frozen=True)
class Answer:
    """What every client tells of an answer; reason and calls are the first choice's.

    Args:
        texts: the text of each choice.
        finish_reason: why the first one ended.
        calls: the first one's calls of tools, each a name and its arguments.
        tokens: of the prompt and of the answers together.
    """

    texts: list[str]
    finish_reason: str
    calls: list[tuple[str, Any]]
    tokens: tuple[int, int]

    @property
    def text(self) -> str:
        """The text of the only choice."""
        [text] = self.texts
        return text


class Client:
    """What clients have in common: OpenAI's errors, and answers in the shape of OpenAI's JSON.

    A client brings `pieces` and, unless it has its own `ask` and `stream`, `_whole`.
    """

    errors: dict[int, type[Exception]] = OPENAI_ERRORS
    timeout_error: type[Exception] = openai.APITimeoutError

    def ask(self, messages: list[dict[str, Any]], **fields: Any) -> Answer:
        """The whole answer."""
        return _answer_of(self._whole(messages, fields))

    def stream(self, messages: list[dict[str, Any]], **fields: Any) -> Answer:
        """The whole answer, come piece by piece, with its usage."""
        fields["stream_options"] = {"include_usage": True}
        return _answer_of_chunks(list(self.pieces(messages, **fields)))

    def retry_after(self, error: Any) -> int:
        """The seconds that an error asks to wait."""
        return int(error.response.headers["Retry-After"])


class RequestsClient(Client):
    """HTTP by hand, which is what `fetch` and curl see, too."""

    errors = dict.fromkeys(OPENAI_ERRORS, requests.HTTPError)
    timeout_error: type[Exception] = requests.Timeout

    def __init__(self, url: str, key: str = "none", timeout: float = 60.0) -> None:
        self._url = f"{url}/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._timeout = timeout

    def pieces(self, messages: list[dict[str, Any]], **fields: Any) -> Iterator[Any]:
        """What comes in a stream; closing this breaks it off."""
        with self._post(messages, {**fields, "stream": True}) as response:
            for line in response.iter_lines():
                if line == b"data: [DONE]":
                    return
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))
        raise AssertionError("the stream ended without its mark")

    def _whole(self, messages: Any, fields: dict[str, Any]) -> dict[str, Any]:
        with self._post(messages, fields) as response:
            return response.json()

    def _post(self, messages: Any, fields: dict[str, Any]) -> requests.Response:
        response = requests.post(
            self._url,
            json={"model": MODEL, "messages": messages, **fields},
            headers=self._headers,
            timeout=self._timeout,
            stream=True,
        )
        if response.status_code != 200:
            sentence = response.json()["error"]["message"]
            raise requests.HTTPError(sentence, response=response)
        return response


class OpenAIClient(Client):
    """OpenAI's own package."""

    def __init__(self, url: str, key: str = "none", timeout: float = 60.0) -> None:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=timeout)
        self._create = client.chat.completions.create

    def pieces(self, messages: list[dict[str, Any]], **fields: Any) -> Iterator[Any]:
        """What comes in a stream; closing this breaks it off."""
        with self._call(messages, {**fields, "stream": True}) as stream:
            for chunk in stream:
                yield chunk.model_dump()

    def _whole(self, messages: Any, fields: dict[str, Any]) -> dict[str, Any]:
        return self._call(messages, fields).model_dump()

    def _call(self, messages: Any, fields: dict[str, Any]) -> Any:
        return self._create(**{"model": MODEL, "messages": messages, **fields})


class LiteLLMClient(Client):
    """litellm, which many programs use to speak to any model."""

    def __init__(self, url: str, key: str = "none", timeout: float = 60.0) -> None:
        # Without this, the import fetches prices from the internet.
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        self._litellm = pytest.importorskip("litellm", reason="litellm needs a venv of its own")
        self._litellm.suppress_debug_info = True
        self.errors = OPENAI_ERRORS | {503: self._litellm.ServiceUnavailableError}
        self.timeout_error = self._litellm.Timeout
        self._fields = {
            "api_base": f"{url}/v1",
            "api_key": key,
            "timeout": timeout,
            "max_retries": 0,
        }

    def pieces(self, messages: list[dict[str, Any]], **fields: Any) -> Iterator[Any]:
        """What comes in a stream; closing this breaks it off."""
        stream = self._call(messages, {**fields, "stream": True})
        try:
            for chunk in stream:
                yield chunk.model_dump()
        finally:
            stream.completion_stream.close()

    def retry_after(self, error: Any) -> int:
        """The seconds that an error asks to wait."""
        return int(error.litellm_response_headers["Retry-After"])

    def _whole(self, messages: Any, fields: dict[str, Any]) -> dict[str, Any]:
        return self._call(messages, fields).model_dump()

    def _call(self, messages: Any, fields: dict[str, Any]) -> Any:
        fields = {**self._fields, "model": MODEL, "messages": messages, **fields}
        return self._litellm.completion(**{**fields, "model": f"openai/{fields['model']}"})


class LangChainClient(Client):
    """LangChain's ChatOpenAI."""

    def __init__(self, url: str, key: str = "none", timeout: float = 60.0) -> None:
        langchain = pytest.importorskip("langchain_openai")
        self._chat = langchain.ChatOpenAI(
            model=MODEL, base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=timeout
        )

    def ask(self, messages: list[dict[str, Any]], **fields: Any) -> Answer:
        """The whole answer."""
        prompt = self._chat._convert_input(messages).to_messages()
        result = self._chat.generate([prompt], **fields)
        generations = result.generations[0]
        texts = [generation.message.text for generation in generations]
        usage = result.llm_output["token_usage"]
        tokens = (usage["prompt_tokens"], usage["completion_tokens"])
        return self._answer(texts, generations[0].message, generations[0].generation_info, tokens)

    def stream(self, messages: list[dict[str, Any]], **fields: Any) -> Answer:
        """The whole answer, come piece by piece, with its usage."""
        first, *others = self.pieces(messages, stream_usage=True, **fields)
        whole = sum(others, first)
        usage = whole.usage_metadata
        tokens = (usage["input_tokens"], usage["output_tokens"])
        return self._answer([whole.text], whole, whole.response_metadata, tokens)

    def pieces(self, messages: list[dict[str, Any]], **fields: Any) -> Iterator[Any]:
        """What comes in a stream; closing this breaks it off."""
        return self._chat.stream(messages, **fields)

    @staticmethod
    def _answer(texts: list[str], message: Any, info: Any, tokens: tuple[int, int]) -> Answer:
        calls = [(call["name"], call["args"]) for call in message.tool_calls]
        return Answer(texts, info["finish_reason"], calls, tokens)


CLIENTS = [
    RequestsClient,
    OpenAIClient,
    LangChainClient,
    # Its own models make pydantic warn.
    pytest.param(LiteLLMClient, marks=pytest.mark.filterwarnings("ignore")),
]


def _answer_of(answer: dict[str, Any]) -> Answer:
    choices, usage = answer["choices"], answer["usage"]
    functions = [call["function"] for call in choices[0]["message"].get("tool_calls") or ()]
    return Answer(
        texts=[choice["message"]["content"] or "" for choice in choices],
        finish_reason=choices[0]["finish_reason"],
        calls=[(each["name"], json.loads(each["arguments"])) for each in functions],
        tokens=(usage["prompt_tokens"], usage["completion_tokens"]),
    )


def _answer_of_chunks(chunks: list[dict[str, Any]]) -> Answer:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    [usage] = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    deltas = [choice["delta"] for choice in choices]
    functions = [call["function"] for delta in deltas for call in delta.get("tool_calls") or ()]
    reasons = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    return Answer(
        texts=["".join(delta.get("content") or "" for delta in deltas)],
        finish_reason=reasons[0],
        calls=[(each["name"], json.loads(each["arguments"])) for each in functions],
        tokens=(usage["prompt_tokens"], usage["completion_tokens"]),
    )
