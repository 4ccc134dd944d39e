"""Between tokens and text: chat prompts in, and pieces of answer out as they come."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ttdirect.engine.errors import PromptRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence as Items

REPLACEMENT = "\ufffd"
LONGEST_START = 3
"""Bytes, so tokens at most, of a UTF-8 character that is not complete."""
PREVIEW_CHARACTERS = 60
PATIENCE_TOKENS = 16
"""So many tokens wait for a character to become complete before the oldest are let go."""


def printable(text: str) -> str:
    """The text on one line, without characters that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def preview(text: str) -> str:
    """The text's beginning on one line, in quotes, safe to show in a terminal."""
    line = " ".join(text.split())
    if len(line) > PREVIEW_CHARACTERS:
        line = line[: PREVIEW_CHARACTERS - 3] + "..."
    return f'"{printable(line)}"'


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
        # Llama 3's settings let transformers 4 take out the space before punctuation, which is
        # damage in a byte-level text, and text that changes behind us cannot be streamed.
        cleans_up = hasattr(tokenizer, "clean_up_tokenization_spaces")
        self._exactly = {"clean_up_tokenization_spaces": False} if cleans_up else {}

    def encode_chat(self, messages: Items[Mapping[str, Any]], **template: Any) -> list[int]:
        """Token ids of a conversation, ready for the model's answer.

        Args:
            messages: `{"role": ..., "content": ...}` in order. A model without a chat template
                (a base model) gets the contents as plain text, one to a line.
            template: what the chat template gets beside: `tools`, `add_generation_prompt`,
                `continue_final_message`, and switches of its own.

        Raises:
            PromptRefusedError: the contents are no Unicode text, or the model's chat template
                does not take such a conversation (some know no system role).
        """
        contents = "\n".join(str(message.get("content") or "") for message in messages)
        _refuse_half_characters(contents)
        with self._encoding:
            if not self.has_chat_template:
                return list(self._tokenizer.encode(contents))
            return self._apply_template(messages, template)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Token ids of a text as it stands.

        Raises:
            PromptRefusedError: it is no Unicode text.
        """
        _refuse_half_characters(text)
        with self._encoding:
            return list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens))

    @property
    def has_chat_template(self) -> bool:
        """Whether the model was trained for conversations, as far as its tokenizer says."""
        return self.chat_template is not None

    @property
    def chat_template(self) -> str | None:
        """The chat template's text."""
        template = getattr(self._tokenizer, "chat_template", None)
        return None if template is None else str(template)

    def decode(self, ids: Items[int], *, skip_special_tokens: bool = True) -> str:
        """The text of some tokens, by default without the special ones."""
        return self._tokenizer.decode(
            list(ids), skip_special_tokens=skip_special_tokens, **self._exactly
        )

    def token_text(self, token: int) -> str:
        """One token's own text; U+FFFD stands for a part of a character."""
        return self._tokenizer.decode([token], skip_special_tokens=False, **self._exactly)

    def stop_ids(self) -> frozenset[int]:
        """The tokens that end an answer.

        tt-metal's `create_tokenizer` sets `stop_tokens`; a plain tokenizer has one EOS.
        """
        known = getattr(self._tokenizer, "stop_tokens", None)
        if known:
            return frozenset(int(token) for token in known)
        eos = getattr(self._tokenizer, "eos_token_id", None)
        return frozenset() if eos is None else frozenset({int(eos)})

    def _apply_template(
        self, messages: Items[Mapping[str, Any]], template: Mapping[str, Any]
    ) -> list[int]:
        # Straight to tokens: only the tokenizer can tell a special token of the template from the
        # same characters typed by a user.
        try:
            ids: Any = self._tokenizer.apply_chat_template(
                list(messages), tokenize=True, **{"add_generation_prompt": True, **template}
            )
        except Exception as error:
            # Templates are programs of the model's authors, and refuse by raising what they like.
            raise PromptRefusedError(f"The model's chat template refuses this: {error}") from error
        # Since version 5, transformers returns a mapping.
        return list(cast("Any", ids)["input_ids"] if isinstance(ids, Mapping) else ids)


def _refuse_half_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PromptRefusedError(
            "The prompt holds half of a surrogate pair, which is no character."
        ) from error


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
        end = len(self._ids)
        if piece.endswith(REPLACEMENT):
            if end - self._shown < PATIENCE_TOKENS:
                return ""
            # Whoever writes U+FFFD on and on must not make each token dearer than the last one.
            end -= LONGEST_START
            whole, piece = piece, self._pending(end)
            tail = self._codec.decode(self._ids[end:])
            if not tail or piece + tail != whole:
                return ""
        if piece:
            self._context, self._shown = self._shown, end
        return piece

    def flush(self) -> str:
        """What is still held back, an incomplete character included."""
        piece = self._pending()
        self._context = self._shown = len(self._ids)
        return piece

    def _pending(self, end: int | None = None) -> str:
        before = self._codec.decode(self._ids[self._context : self._shown])
        return self._codec.decode(self._ids[self._context : end])[len(before) :]


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
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            # The one that ends first, so that it does not matter in what pieces the text came.
            _, at = min(found)
            self.stopped = True
            shown, self._held = self._held[:at], ""
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
