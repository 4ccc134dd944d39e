"""POST /tokenize and /detokenize, in vLLM's shapes: what a text is in the model's tokens.

All of it happens on the thread of the request: the model and its own thread have no part in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttdirect.engine import PromptRefusedError
from ttdirect.server.errors import ApiError, as_api_error
from ttdirect.server.openai.messages import chat_prompt
from ttdirect.server.openai.options import check_token_ids
from ttdirect.server.openai.schema import TokenizeChatRequest, TokenizeTextRequest
from ttdirect.server.openai.tools import plan_tools

if TYPE_CHECKING:
    from ttdirect.engine import Engine
    from ttdirect.server.openai.schema import DetokenizeRequest


def kind_of(sent: dict[str, Any]) -> type[TokenizeTextRequest | TokenizeChatRequest]:
    """Which of the two requests a body of `POST /tokenize` is.

    Raises:
        ApiError: 400 where it is both or neither.
    """
    has_prompt, has_messages = sent.get("prompt") is not None, sent.get("messages") is not None
    if has_prompt == has_messages:
        sentence = (
            "Give either 'prompt' or 'messages', not both."
            if has_prompt
            else "The field 'prompt' is missing, or 'messages' in its place."
        )
        raise ApiError(400, sentence, param="prompt")
    return TokenizeTextRequest if has_prompt else TokenizeChatRequest


def tokens_of(engine: Engine, body: TokenizeTextRequest | TokenizeChatRequest) -> dict[str, Any]:
    """The tokens of a text, or those that a conversation's prompt has.

    A prompt that is too long for the model is counted as well: that is when one wants to know.

    Args:
        engine: ready.
        body: the checked request.

    Returns:
        `count`, `max_model_len` (tokens of prompt and answer together), and `tokens`.

    Raises:
        ApiError: 400 for a text that the tokenizer or the chat template does not take.
        NotReadyError: the model is not loaded.
    """
    codec = engine.codec
    if isinstance(body, TokenizeTextRequest):
        try:
            ids = codec.encode(body.prompt, add_special_tokens=body.add_special_tokens)
        except PromptRefusedError as error:
            raise ApiError(400, str(as_api_error(error)), param="prompt") from error
    else:
        ids = chat_prompt(codec, body, plan_tools(body, codec)).ids
    return {"count": len(ids), "max_model_len": engine.limits.context, "tokens": ids}


def text_of(engine: Engine, body: DetokenizeRequest) -> dict[str, Any]:
    """The text of tokens, special ones written out.

    Args:
        engine: ready.
        body: the checked request.

    Returns:
        `prompt`. Bytes that are no complete character are U+FFFD.

    Raises:
        ApiError: 400 for tokens that the model does not have.
        NotReadyError: the model is not loaded.
    """
    check_token_ids(engine, "tokens", body.tokens)
    return {"prompt": engine.codec.decode(body.tokens, skip_special_tokens=False)}
