"""Log-probabilities in the shapes of OpenAI's two APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttdirect.engine.text import REPLACEMENT, IncrementalDecoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.engine import Token
    from ttdirect.engine.text import TextCodec


def chat_logprobs(codec: TextCodec, tokens: Sequence[Token], top: int) -> dict[str, Any]:
    """The chat form: for each token its text, bytes, logprob, and the `top` likeliest ones."""
    content = [
        {
            **_described(codec, token.id, token.logprob),
            "top_logprobs": [
                _described(codec, other, logprob) for other, logprob in token.top[:top]
            ],
        }
        for token in tokens
    ]
    return {"content": content, "refusal": None}


class TextLogprobs:
    """The completions form, a list for each thing, piece by piece.

    Args:
        codec: turns tokens into text.
        top: how many of the likeliest tokens are wanted.
    """

    def __init__(self, codec: TextCodec, top: int) -> None:
        self._codec = codec
        self._top = top
        self._decoder = IncrementalDecoder(codec)
        self._offset = 0

    def of(self, tokens: Sequence[Token]) -> dict[str, Any]:
        """The lists for the next tokens.

        `text_offset` is where the token begins in the text, in characters; the tokens of one
        character begin at the same place.
        """
        offsets: list[int] = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(self._decoder.feed(token.id))
        return {
            "text_offset": offsets,
            "token_logprobs": [token.logprob for token in tokens],
            "tokens": [self._codec.token_text(token.id) for token in tokens],
            "top_logprobs": [self._likeliest(token) for token in tokens],
        }

    def _likeliest(self, token: Token) -> dict[str, float | None]:
        """The likeliest tokens by their text, and the chosen one in any case."""
        shown: dict[str, float | None] = {}
        for other, logprob in (*token.top[: self._top], (token.id, token.logprob)):
            # Parts of characters share a text; the likeliest of them is shown.
            shown.setdefault(self._codec.token_text(other), logprob)
        return shown


def mean_logprob(tokens: Sequence[Token]) -> float:
    """How sure the model was of an answer: the mean over its tokens, 0.0 for none."""
    known = [token.logprob for token in tokens if token.logprob is not None]
    return sum(known) / len(known) if known else 0.0


def _described(codec: TextCodec, token: int, logprob: float | None) -> dict[str, Any]:
    text = codec.token_text(token)
    is_part = REPLACEMENT in text  # of a character: no text of its own
    return {"token": text, "logprob": logprob, "bytes": None if is_part else list(text.encode())}
