"""A tokenizer of bytes, so that a test can read the tokens that it sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tokenizers

CHAT_TOKENS = 4
"""Tokens that the chat template adds to a prompt."""


class ByteTokenizer:
    """One token for each byte, and a few special ones, as byte-level BPE tokenizers behave.

    Special tokens written out in a text are recognised; bytes that are no UTF-8 decode to
    U+FFFD.
    """

    specials = ("<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")
    chat_template = "one turn after another"
    clean_up_tokenization_spaces = False

    def __init__(self, *, chat: bool = True) -> None:
        if not chat:
            self.chat_template = None
        self._ids = {text: 256 + number for number, text in enumerate(self.specials)}
        self._split = re.compile("(" + "|".join(map(re.escape, self.specials)) + ")")
        self.bos_token_id = self._ids["<|begin|>"]
        self.eos_token_id = self._ids["<|end|>"]
        self.user_token_id = self._ids["<|user|>"]
        self.stop_tokens = [self.eos_token_id]
        self.all_special_ids = sorted(self._ids.values())
        self.vocab_size = 256 + len(self.specials)

    @property
    def backend_tokenizer(self) -> tokenizers.Tokenizer:
        """The same tokens as the tokenizers library knows them, for grammars."""
        import tokenizers  # noqa: PLC0415 - the Python of ttnn's wheel has none, and needs none

        # Byte-level BPE writes a byte that is no printable character as one from 256 onwards.
        alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
        printable = [letter for letter in alphabet if ord(letter) < 256]
        moved = [letter for letter in alphabet if ord(letter) >= 256]
        codes = {ord(letter) for letter in printable}
        others = (byte for byte in range(256) if byte not in codes)
        vocabulary = {letter: ord(letter) for letter in printable} | dict(
            zip(moved, others, strict=True)
        )
        backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
        backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
            add_prefix_space=False, use_regex=False
        )
        backend.decoder = tokenizers.decoders.ByteLevel()
        backend.add_special_tokens(list(self.specials))
        return backend

    def __len__(self) -> int:
        return self.vocab_size

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        ids = [self.bos_token_id] if add_special_tokens else []
        for part in self._split.split(text):
            ids.extend([self._ids[part]] if part in self._ids else part.encode())
        return ids

    def decode(
        self,
        ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str:
        parts = bytearray()
        for token in ids:
            if token < 256:
                parts.append(token)
            elif not skip_special_tokens:
                parts += self.specials[token - 256].encode()
        return parts.decode("utf-8", errors="replace")

    def apply_chat_template(
        self,
        messages: list[dict[str, str]],
        add_generation_prompt: bool = True,
        tokenize: bool = False,
    ) -> Any:
        text = "<|begin|>" + "".join(f"<|{m['role']}|>{m['content']}<|end|>" for m in messages)
        text += "<|assistant|>" if add_generation_prompt else ""
        return self.encode(text, add_special_tokens=False) if tokenize else text

    def last_user_message(self, ids: list[int]) -> str:
        """What the user said last in a prompt; the whole prompt if it is no conversation."""
        if self.user_token_id in ids:
            start = len(ids) - ids[::-1].index(self.user_token_id)
            ids = ids[start:]
            ids = ids[: ids.index(self.eos_token_id)] if self.eos_token_id in ids else ids
        return self.decode(ids, skip_special_tokens=True)
