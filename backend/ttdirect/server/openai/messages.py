"""A conversation in OpenAI's shape, as the chat template wants it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from ttdirect.engine import PromptRefusedError
from ttdirect.server.errors import ApiError, as_api_error
from ttdirect.server.openai.answers import Prompt

if TYPE_CHECKING:
    from ttdirect.engine.text import TextCodec
    from ttdirect.server.openai.schema import Conversation, FunctionCall, Message
    from ttdirect.server.openai.tools import ToolPlan

_OURS = frozenset(
    {
        "messages",
        "conversation",
        "chat_template",
        "tools",
        "tokenize",
        "add_generation_prompt",
        "continue_final_message",
        "return_tensors",
        "return_dict",
        "return_assistant_tokens_mask",
        "padding",
        "truncation",
        "max_length",
        "tokenizer_kwargs",
    }
)
"""Arguments of `apply_chat_template` that are no switches of a template."""


def chat_prompt(codec: TextCodec, body: Conversation, plan: ToolPlan | None) -> Prompt:
    """The prompt of a conversation, in tokens.

    Raises:
        ApiError: 400 for a conversation that the model's chat template does not take.
    """
    template = _template_arguments(body)
    if plan is not None:
        template["tools"] = plan.offered
    knows_developer = "developer" in (codec.chat_template or "")
    messages = [
        _as_template_wants(message, f"messages[{number}]", knows_developer=knows_developer)
        for number, message in enumerate(body.messages)
    ]
    try:
        ids = codec.encode_chat(messages, **template)
    except PromptRefusedError as error:
        raise ApiError(400, str(as_api_error(error)), param="messages") from error
    return Prompt(ids, body.messages[-1].content or "", "messages")


def _template_arguments(body: Conversation) -> dict[str, Any]:
    for name in body.chat_template_kwargs:
        if name in _OURS:
            raise ApiError(
                400, f"'chat_template_kwargs' must not set '{name}'.", param="chat_template_kwargs"
            )
    arguments = dict(body.chat_template_kwargs)
    if body.add_generation_prompt is not None:
        arguments["add_generation_prompt"] = body.add_generation_prompt
    if body.continue_final_message:
        if body.add_generation_prompt:
            raise ApiError(
                400,
                "'continue_final_message' and 'add_generation_prompt' exclude each other.",
                param="continue_final_message",
            )
        if body.messages[-1].role != "assistant":
            raise ApiError(
                400,
                "'continue_final_message' needs a last message of the role assistant.",
                param="continue_final_message",
            )
        arguments |= {"continue_final_message": True, "add_generation_prompt": False}
    return arguments


def _as_template_wants(message: Message, where: str, *, knows_developer: bool) -> dict[str, Any]:
    is_needed = message.role != "assistant" or not message.tool_calls
    if message.content is None and is_needed:
        raise ApiError(400, f"The field '{where}.content' is missing.", param=f"{where}.content")
    role = message.role
    if role == "developer" and not knows_developer:
        role = "system"
    wanted: dict[str, Any] = {"role": role, "content": message.content or ""}
    if message.name is not None:
        wanted["name"] = message.name
    if message.tool_call_id is not None:
        wanted["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        wanted["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.function.name,
                    "arguments": _arguments(call.function, f"{where}.tool_calls[{number}]"),
                },
            }
            for number, call in enumerate(message.tool_calls)
        ]
    return wanted


def _arguments(function: FunctionCall, where: str) -> dict[str, Any]:
    """Templates write the arguments themselves, so they get the object and not its JSON."""
    param = f"{where}.function.arguments"
    try:
        arguments: Any = json.loads(function.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise ApiError(400, f"'{param}' must be a string with a JSON object.", param=param)
    return cast("dict[str, Any]", arguments)
