"""The requests of OpenAI's two APIs and of vLLM's tokenizer, as pydantic models.

Defaults are OpenAI's (16 tokens for a completion, a chat answer as long as the context lasts) but
for the temperature: 0.0, as on the lesson's routes, because a small model drawn from at 1.0 talks
nonsense. Fields that nobody knows are ignored, as vLLM does. Fields that OpenAI or vLLM know and
this server does not are refused where they would change the answer: see `UNSUPPORTED`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    WithJsonSchema,
)

from ttdirect.engine.request import MAX_TOP_LOGPROBS
from ttdirect.schema.chat import INT64, MAX_STOPS
from ttdirect.server.errors import ApiError
from ttdirect.server.validation import Range, wrong

MAX_CHOICES = 16
MAX_COUNT = 2**31 - 1

_STOP = {"type": "string", "minLength": 1}
_STOPS = {"anyOf": [_STOP, {"type": "array", "maxItems": MAX_STOPS, "items": _STOP}]}
_TOKEN_IDS = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT}}
_PROMPTS = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "minItems": 1, "items": {"type": "string"}},
        {**_TOKEN_IDS, "minItems": 1},
        {"type": "array", "minItems": 1, "items": {**_TOKEN_IDS, "minItems": 1}},
    ]
}
_BIASES = {
    "type": "object",
    "propertyNames": {"pattern": "^[0-9]{1,10}$"},
    "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100},
}
_CHOICE = {
    "anyOf": [
        {"enum": ["none", "auto", "required"]},
        {
            "type": "object",
            "required": ["type", "function"],
            "properties": {
                "type": {"const": "function"},
                "function": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}},
                },
            },
        },
    ]
}
_PARTS = {
    "type": "array",
    "items": {
        "anyOf": [
            {
                "type": "object",
                "required": ["type", kind],
                "properties": {"type": {"const": kind}, kind: {"type": "string"}},
            }
            for kind in ("text", "refusal")
        ]
    },
}
_SAYS_SOMETHING: dict[str, Any] = {
    "anyOf": [
        {"required": ["content"], "properties": {"content": {"type": ["string", "array"]}}},
        {
            "required": ["tool_calls"],
            "properties": {
                "role": {"const": "assistant"},
                "tool_calls": {"type": "array", "minItems": 1},
            },
        },
    ]
}
"""Only an assistant's message that calls tools may lack a content."""


def _stops(value: Any) -> list[str]:
    stops = cast("list[Any]", value) if isinstance(value, list) else [value]
    if len(stops) > MAX_STOPS or not all(isinstance(stop, str) and stop for stop in stops):
        wrong(f"a string or a list of up to {MAX_STOPS} strings, none of them empty")
    return stops


def _is_token_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _token_ids(value: Any) -> list[int]:
    if not isinstance(value, list) or not all(map(_is_token_id, cast("list[Any]", value))):
        wrong("a list of token ids")
    return cast("list[int]", value)


def _logit_bias(value: Any) -> dict[int, float]:
    if not isinstance(value, dict) or not all(map(_is_bias, cast("dict[str, Any]", value).items())):
        wrong("an object of token ids with numbers from -100 to 100")
    return {int(token): float(bias) for token, bias in cast("dict[str, Any]", value).items()}


def _is_bias(item: tuple[str, Any]) -> bool:
    token, bias = item
    is_number = isinstance(bias, (int, float)) and not isinstance(bias, bool)
    is_token = token.isascii() and token.isdigit() and len(token) <= 10
    return is_token and is_number and -100 <= bias <= 100


Prompt: TypeAlias = str | list[int]


def _prompts(value: Any) -> list[Prompt]:
    """Every form of prompt as a list: a text, texts, token ids, lists of token ids."""
    items: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    if isinstance(value, list) and items and all(map(_is_token_id, items)):
        items = [items]
    for item in items:
        ids = cast("list[Any]", item) if isinstance(item, list) else [None]
        if not isinstance(item, str) and not (ids and all(map(_is_token_id, ids))):
            wrong("a string, a list of strings, a list of token ids, or a list of such lists")
    if not items:
        wrong("a prompt or a list of at least one")
    return items


class StreamOptions(BaseModel):
    """What a stream tells beside the answer."""

    include_usage: StrictBool = False
    continuous_usage_stats: StrictBool = False


class JsonSchemaFormat(BaseModel):
    """A JSON schema that the answer has to fit."""

    name: StrictStr = ""
    # "schema" is taken in pydantic's models.
    content: dict[str, Any] = Field(default_factory=dict[str, Any], alias="schema")


class ResponseFormat(BaseModel):
    """What the answer has to look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class FunctionSpec(BaseModel):
    """A function that the model may call; `parameters` is a JSON schema."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[StrictStr, Field(min_length=1, max_length=128)]
    description: StrictStr | None = None
    parameters: dict[str, Any] | None = None


class Tool(BaseModel):
    """A tool of the request; functions are the only kind."""

    model_config = ConfigDict(extra="allow")

    type: Literal["function"]
    function: FunctionSpec


class FunctionCall(BaseModel):
    """A call that the model made earlier; `arguments` is JSON in a string."""

    name: StrictStr
    arguments: StrictStr


class ToolCall(BaseModel):
    """One of an assistant message's calls."""

    id: StrictStr | None = None
    type: Literal["function"] = "function"
    function: FunctionCall


def _text_of_parts(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list):
        wrong("a string or a list of parts")
    texts: list[str] = []
    for part in cast("list[Any]", value):
        fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        kind = fields.get("type")
        if kind not in ("text", "refusal"):
            wrong("text alone, for this model sees no pictures and hears no sound")
        text = fields.get(kind)
        if not isinstance(text, str):
            wrong('a list of parts such as {"type": "text", "text": "..."}')
        texts.append(text)
    return "\n".join(texts)


class Message(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(json_schema_extra=_SAYS_SOMETHING)

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[
        str | None,
        BeforeValidator(_text_of_parts),
        WithJsonSchema({"anyOf": [{"type": ["string", "null"]}, _PARTS]}),
    ] = None
    name: StrictStr | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: StrictStr | None = None


def _tool_choice(value: Any) -> str | dict[str, Any]:
    if value in ("none", "auto", "required"):
        return value
    choice = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    function = choice.get("function")
    named = cast("dict[str, Any]", function) if isinstance(function, dict) else {}
    if choice.get("type") != "function" or not isinstance(named.get("name"), str):
        wrong('"none", "auto", "required", or {"type": "function", "function": {"name": "..."}}')
    return choice


class _SamplingRequest(BaseModel):
    """The fields that both routes share."""

    model: StrictStr | None = None
    n: Annotated[int, Range(1, MAX_CHOICES)] = 1
    stream: StrictBool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Range(0.0, 2.0)] = 0.0
    top_p: Annotated[float, Range(0.0, 1.0, open_low=True)] = 1.0
    top_k: Annotated[int, Range(-1, 1_000_000)] = 0
    min_p: Annotated[float, Range(0.0, 1.0)] = 0.0
    presence_penalty: Annotated[float, Range(-2.0, 2.0)] = 0.0
    frequency_penalty: Annotated[float, Range(-2.0, 2.0)] = 0.0
    repetition_penalty: Annotated[float, Range(0.0, 2.0, open_low=True)] = 1.0
    seed: Annotated[int, Range(-INT64, INT64 - 1)] | None = None
    logit_bias: Annotated[
        dict[int, float], BeforeValidator(_logit_bias), WithJsonSchema(_BIASES)
    ] = Field(default_factory=dict[int, float])
    stop: Annotated[list[str], BeforeValidator(_stops), WithJsonSchema(_STOPS)] = Field(
        default_factory=list[str]
    )
    stop_token_ids: Annotated[
        list[int], BeforeValidator(_token_ids), WithJsonSchema(_TOKEN_IDS)
    ] = Field(default_factory=list[int])
    min_tokens: Annotated[int, Range(0, MAX_COUNT)] = 0
    ignore_eos: StrictBool = False
    response_format: ResponseFormat | None = None
    structured_outputs: dict[str, Any] | None = None


class Conversation(BaseModel):
    """The fields that make the prompt of a conversation."""

    messages: Annotated[list[Message], Field(min_length=1)]
    tools: list[Tool] = Field(default_factory=list[Tool])
    tool_choice: Annotated[
        str | dict[str, Any], BeforeValidator(_tool_choice), WithJsonSchema(_CHOICE)
    ] = "auto"
    parallel_tool_calls: StrictBool = True
    add_generation_prompt: StrictBool | None = None
    continue_final_message: StrictBool = False
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict[str, Any])


class ChatRequest(Conversation, _SamplingRequest):
    """The body of `POST /v1/chat/completions`."""

    max_tokens: Annotated[int, Range(1, MAX_COUNT)] | None = None
    max_completion_tokens: Annotated[int, Range(1, MAX_COUNT)] | None = None
    logprobs: StrictBool = False
    top_logprobs: Annotated[int, Range(0, MAX_TOP_LOGPROBS)] = 0


class CompletionRequest(_SamplingRequest):
    """The body of `POST /v1/completions`."""

    prompt: Annotated[list[Prompt], BeforeValidator(_prompts), WithJsonSchema(_PROMPTS)]
    max_tokens: Annotated[int, Range(1, MAX_COUNT)] = 16
    logprobs: Annotated[int, Range(0, MAX_TOP_LOGPROBS)] | None = None
    echo: StrictBool = False
    best_of: Annotated[int, Range(1, MAX_CHOICES)] | None = None


class TokenizeTextRequest(BaseModel):
    """The body of `POST /tokenize` for a text as it stands."""

    model: StrictStr | None = None
    prompt: StrictStr
    add_special_tokens: StrictBool = True


class TokenizeChatRequest(Conversation):
    """The body of `POST /tokenize` for a conversation, as `/v1/chat/completions` takes it."""

    model: StrictStr | None = None


class DetokenizeRequest(BaseModel):
    """The body of `POST /detokenize`."""

    model: StrictStr | None = None
    tokens: Annotated[list[int], BeforeValidator(_token_ids), WithJsonSchema(_TOKEN_IDS)]


_BOTH: dict[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "default"),
    "use_beam_search": (False,),
    "prompt_logprobs": (),
    "bad_words": ([],),
    "allowed_token_ids": (),
    "include_stop_str_in_output": (False,),
    "skip_special_tokens": (True,),
    "guided_json": (),
    "guided_regex": (),
    "guided_choice": (),
    "guided_grammar": (),
}
UNSUPPORTED: dict[type[BaseModel], dict[str, tuple[Any, ...]]] = {
    ChatRequest: _BOTH
    | {
        "audio": (),
        "modalities": (["text"],),
        "prediction": (),
        "store": (False,),
        "web_search_options": (),
        "functions": ([],),
        "function_call": ("none", "auto"),
        "echo": (False,),
    },
    CompletionRequest: _BOTH | {"suffix": ("",)},
    TokenizeTextRequest: {"return_token_strs": (False,)},
    # The chat template writes the special tokens itself.
    TokenizeChatRequest: {"return_token_strs": (False,), "add_special_tokens": (False,)},
    DetokenizeRequest: {},
}
"""Fields that are known and not supported, each with the values that change nothing."""


def refuse_unsupported(model: type[BaseModel], body: dict[str, Any]) -> None:
    """Refuse a request that asks for what this server cannot do.

    Raises:
        ApiError: 400 with the field's name.
    """
    for name, harmless in UNSUPPORTED[model].items():
        if body.get(name) is not None and body[name] not in harmless:
            raise ApiError(400, f"This server does not support '{name}'.", param=name)
