"""From a checked request to the engine's options."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ttdirect.engine import Options, SamplingParams
from ttdirect.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttdirect.engine import Engine
    from ttdirect.engine.grammar import Grammar
    from ttdirect.server.openai.schema import ChatRequest, CompletionRequest


def options_for(
    engine: Engine,
    body: ChatRequest | CompletionRequest,
    *,
    max_tokens: int | None,
    top_logprobs: int | None,
    grammar: Grammar | None,
) -> Options:
    """How the engine is to answer a request.

    Args:
        engine: whose vocabulary the token ids have to be of.
        body: the request.
        max_tokens: the answer's longest length; None for as long as the context lasts.
        top_logprobs: log-probabilities for each token, None for none at all.
        grammar: what the answer has to look like, from `structure`.

    Raises:
        ApiError: 400 for fields that contradict each other, or tokens that do not exist.
        NotReadyError: the model is not loaded.
    """
    if max_tokens is not None and body.min_tokens > max_tokens:
        raise ApiError(400, "'min_tokens' must not be above 'max_tokens'.", param="min_tokens")
    if body.stream_options is not None and not body.stream:
        raise ApiError(
            400, "'stream_options' goes with 'stream': true only.", param="stream_options"
        )
    for name, ids in (("logit_bias", body.logit_bias), ("stop_token_ids", body.stop_token_ids)):
        check_token_ids(engine, name, ids)
    return Options(
        max_tokens=max_tokens,
        sampling=SamplingParams(
            temperature=body.temperature,
            top_p=body.top_p,
            top_k=max(body.top_k, 0),  # vLLM's -1 means all, too
            seed=body.seed,
            min_p=body.min_p,
            presence_penalty=body.presence_penalty,
            frequency_penalty=body.frequency_penalty,
            repetition_penalty=body.repetition_penalty,
            logit_bias=tuple(body.logit_bias.items()),
            top_logprobs=top_logprobs,
        ),
        stop=tuple(body.stop),
        stop_token_ids=frozenset(body.stop_token_ids),
        min_tokens=body.min_tokens,
        ignore_eos=body.ignore_eos,
        grammar=grammar,
        stream=body.stream,
    )


def copy_of(options: Options, number: int) -> Options:
    """The options of one of several answers: each has a seed of its own."""
    seed = options.sampling.seed
    if seed is None or number == 0:
        return options
    return replace(options, sampling=replace(options.sampling, seed=seed + number))


def check_token_ids(engine: Engine, name: str, ids: Iterable[int]) -> None:
    """Refuse token ids that the model does not have; none of them is below 0.

    Args:
        engine: whose vocabulary they have to be of.
        name: the field that they came in.
        ids: from the request.

    Raises:
        ApiError: 400 with the ids that there are.
        NotReadyError: the model is not loaded.
    """
    vocab_size = engine.loaded_model.vocab_size
    if max(ids, default=0) >= vocab_size:
        raise ApiError(
            400, f"The token ids of '{name}' must be from 0 to {vocab_size - 1}.", param=name
        )
