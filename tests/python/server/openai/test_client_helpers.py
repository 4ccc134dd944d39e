"""What one Python client has and the others do not: parsing, async calls, completions."""

import asyncio
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from openai_clients import MODEL, LiteLLMClient

pytestmark = pytest.mark.slow


class City(BaseModel):
    """What the model has to fill in."""

    city: Literal["Oslo", "Rome"]


HASH = [{"role": "user", "content": "hash"}]


def test_openai_parses_an_answer_into_a_model(openai_server):
    with openai.OpenAI(base_url=f"{openai_server.url}/v1", api_key="none") as client:
        parse = client.chat.completions.parse
        answer = parse(model=MODEL, messages=HASH, response_format=City)
        assert answer.choices[0].message.parsed in (City(city="Oslo"), City(city="Rome"))
        tool = openai.pydantic_function_tool(City)
        called = parse(model=MODEL, messages=HASH, tools=[tool], tool_choice="required")
    [call, *_] = called.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, City)


def test_openai_asks_many_at_once_without_threads(openai_server):
    async def ask_all():
        async with openai.AsyncOpenAI(base_url=f"{openai_server.url}/v1", api_key="none") as client:
            asks = [
                client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": f"say {number}"}]
                )
                for number in range(6)
            ]
            return [answer.choices[0].message.content for answer in await asyncio.gather(*asks)]

    assert asyncio.run(ask_all()) == ["0", "1", "2", "3", "4", "5"]


def test_openai_continues_token_ids(openai_server):
    with openai.OpenAI(base_url=f"{openai_server.url}/v1", api_key="none") as client:
        answer = client.completions.create(
            model=MODEL, prompt=[list(b"say a"), list(b"say b")], logprobs=1
        )
    assert [choice.text for choice in answer.choices] == ["a", "b"]
    assert [choice.logprobs.tokens for choice in answer.choices] == [["a"], ["b"]]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_fills_in_a_model(openai_server, method):
    langchain = pytest.importorskip("langchain_openai")
    chat = langchain.ChatOpenAI(
        model=MODEL, base_url=f"{openai_server.url}/v1", api_key="none", max_retries=0
    )
    city = chat.with_structured_output(City, method=method).invoke("hash")
    assert city in (City(city="Oslo"), City(city="Rome"))


def test_langchain_tells_logprobs_and_the_requests_name(openai_server):
    langchain = pytest.importorskip("langchain_openai")
    chat = langchain.ChatOpenAI(
        model=MODEL,
        base_url=f"{openai_server.url}/v1",
        api_key="none",
        include_response_headers=True,
    )
    told = chat.bind(logprobs=True, top_logprobs=2).invoke("say abc").response_metadata
    assert told["headers"]["x-request-id"].startswith("req-")
    content = told["logprobs"]["content"]
    assert [token["token"] for token in content[:3]] == ["a", "b", "c"]
    assert len(content[0]["top_logprobs"]) == 2


def test_langchain_continues_texts(openai_server):
    langchain = pytest.importorskip("langchain_openai")
    model = langchain.OpenAI(model=MODEL, base_url=f"{openai_server.url}/v1", api_key="none")
    result = model.generate(["say a", "say b"])
    assert [each.text for [each] in result.generations] == ["a", "b"]
    assert "".join(model.stream("say streamed")) == "streamed"


@pytest.mark.filterwarnings("ignore")  # its own models make pydantic warn
def test_litellm_continues_texts_and_tells_the_requests_name(openai_server):
    LiteLLMClient(openai_server.url)  # skips where litellm is missing
    import litellm  # noqa: PLC0415 - slow, and often not there

    answer = litellm.text_completion(
        model=f"text-completion-openai/{MODEL}",
        prompt=["say a", "say b"],
        echo=True,
        api_base=f"{openai_server.url}/v1",
        api_key="none",
    )
    assert [choice.text for choice in answer.choices] == ["say aa", "say bb"]
    chat = litellm.completion(
        model=f"openai/{MODEL}",
        messages=[{"role": "user", "content": "say hi"}],
        api_base=f"{openai_server.url}/v1",
        api_key="none",
    )
    headers = chat._hidden_params["additional_headers"]
    assert headers["llm_provider-x-request-id"].startswith("req-")
