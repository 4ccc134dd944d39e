"""Between tokens and text: chat prompts in, and pieces of answer out as they come."""

from __future__ import annotations

import threading
from collections.abc import Sequence as Items
from typing import Any

REPLACEMENT = "\ufffd"


class TextCodec:
    """The tokenizer, as the engine's callers use it.

    Args:
        tokenizer: a Hugging Face tokenizer or one with the same `encode`, `decode` and
            `apply_chat_template`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # Hugging Face's fast tokenizers set their padding on each call, and two threads doing
        # so at once end in "Already borrowed".
        self._encoding = threading.Lock()

    def encode_chat(self, messages: Items[dict[str, str]]) -> list[int]:
        """Token ids of a conversation, ready for the model's answer.

        Args:
            messages: `{"role": ..., "content": ...}` in order. A model without a chat template
                (a base model) gets the contents as plain text, one to a line.
        """
        with self._encoding:
            if getattr(self._tokenizer, "chat_template", None) is None:
                text = "\n".join(message["content"] for message in messages)
                return list(self._tokenizer.encode(text))
            text = self._tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, tokenize=False
            )
            return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: Items[int]) -> str:
        """The text of some tokens, special tokens left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def stop_ids(self) -> frozenset[int]:
        """The tokens that end an answer.

        tt-metal's `create_tokenizer` sets `stop_tokens`; a plain tokenizer has one EOS.
        """
        known = getattr(self._tokenizer, "stop_tokens", None)
        if known:
            return frozenset(int(token) for token in known)
        eos = getattr(self._tokenizer, "eos_token_id", None)
        return frozenset() if eos is None else frozenset({int(eos)})


class IncrementalDecoder:
    """Turns tokens into text piece by piece; the joined pieces are the text of all tokens.

    A character of several bytes can be spread over several tokens, and some tokenizers write a
    token differently at the start of a text. So a few tokens before the new one are decoded with
    it, and a text that ends in the middle of a character waits for the rest.
    """

    def __init__(self, codec: TextCodec) -> None:
        self._codec = codec
        self._ids: list[int] = []
        self._context = 0  # first token that is decoded again for context
        self._shown = 0  # tokens whose text has been handed out

    def feed(self, token: int) -> str:
        """The text that this token completes, often empty."""
        self._ids.append(token)
        piece = self._pending()
        if not piece or piece.endswith(REPLACEMENT):
            return ""
        self._context, self._shown = self._shown, len(self._ids)
        return piece

    def flush(self) -> str:
        """What is still held back, an incomplete character included."""
        piece = self._pending()
        self._context = self._shown = len(self._ids)
        return piece

    def _pending(self) -> str:
        before = self._codec.decode(self._ids[self._context : self._shown])
        return self._codec.decode(self._ids[self._context :])[len(before) :]


class StopWatcher:
    """Lets text through until one of the stop strings appears.

    Text that may be the beginning of a stop string is held back until it is clear, so that no
    client ever sees half of one.
    """

    def __init__(self, stops: Items[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that may be shown now; `stopped` tells whether a stop string was found."""
        if self.stopped:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        keep = max((self._overlap(stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def flush(self) -> str:
        """What was held back and turned out to be no stop string."""
        shown, self._held = self._held, ""
        return shown

    def _overlap(self, stop: str) -> int:
        """Length of the longest end of the held text that could grow into `stop`."""
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)
