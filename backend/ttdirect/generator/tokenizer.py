"""A light tokenizer with the calls of a `transformers` one, on the `tokenizers` library alone.

Importing `transformers` takes seconds, and a server with a small model should not wait for it.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, cast

import tokenizers

from ttdirect.generator.chat_template import ChatTemplate, load_chat_template
from ttdirect.generator.checkpoint import read_json
from ttdirect.generator.errors import NotACheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_CHAT_END_TOKENS = ("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "<|eom_id|>")
_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token")


class Tokenizer:
    """Text to token ids and back.

    Special tokens in the text given to `encode` are recognised, as in `transformers`: a caller who
    hands over a whole prompt means them. In `apply_chat_template` they are not: the text of a
    message cannot end its turn or forge another role's (see there).
    """

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        named_tokens: Mapping[str, str],
        template: ChatTemplate | None,
        stop_ids: Sequence[int] = (),
    ) -> None:
        self._backend = backend
        self._named_tokens = dict(named_tokens)
        self._template = template
        self.eos_token_id = self._id_of("eos_token")
        self.bos_token_id = self._id_of("bos_token")
        self.stop_tokens = self._collect_stop_tokens(stop_ids)
        special = [
            token.content
            for token in backend.get_added_tokens_decoder().values()
            if token.special and token.content
        ]
        longest_first = sorted(special, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first))) if special else None

    @property
    def chat_template(self) -> str | None:
        """The text of the chat template, or None where the model has none."""
        return None if self._template is None else self._template.text

    @property
    def backend_tokenizer(self) -> tokenizers.Tokenizer:
        """The tokenizer below, under the name that `transformers` gives it."""
        return self._backend

    @property
    def vocab_size(self) -> int:
        """The number of tokens, added ones included; the model's own table may be longer."""
        return self._backend.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Return the ids of `text`, by default with the tokens that open (or close) a prompt."""
        return self._backend.encode(text, add_special_tokens=add_special_tokens).ids

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """Return the text of `ids`; incomplete UTF-8 at the ends becomes U+FFFD."""
        return self._backend.decode(list(ids), skip_special_tokens=skip_special_tokens)

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool = True,
        tokenize: bool = True,
        continue_final_message: bool = False,
        **extra: Any,
    ) -> Any:
        """Return the chat as token ids (or as text with `tokenize=False`).

        `messages` are mappings with `role` and `content`; `extra` goes to the template (`tools`,
        `documents`, switches such as `enable_thinking`). Special tokens spelled out in a message
        are encoded as the plain text that they are. With `continue_final_message` the chat ends
        with the last message's own text, for the model to go on with it.

        Raises:
            ValueError: the model has no chat template, the template rejects the messages, or
                there is no final message to continue.
        """
        if self._template is None:
            raise ValueError(
                "This model has no chat template: send a plain prompt, or choose an instruct model."
            )
        if continue_final_message and add_generation_prompt:
            raise ValueError("continue_final_message and add_generation_prompt exclude each other.")
        forged: dict[str, str] = {}
        opened = _leave_open(messages) if continue_final_message else list(messages)
        marked = self._mark(opened, forged) if tokenize and self._special else opened
        text = self._template.render(
            marked, self._named_tokens, add_generation_prompt=add_generation_prompt, **extra
        )
        if continue_final_message:
            text = _cut_at_end_of_content(text)
        if not tokenize:
            return text
        return self._encode_marked(text, forged)

    def _mark(self, value: Any, forged: dict[str, str]) -> Any:
        """Return messages with every special token replaced by a mark, which `forged` explains."""
        if isinstance(value, str) and self._special is not None:
            return self._special.sub(lambda found: self._new_mark(found.group(), forged), value)
        if isinstance(value, dict):
            items = cast("dict[Any, Any]", value)
            return {
                key: item if key == "role" else self._mark(item, forged)
                for key, item in items.items()
            }
        if isinstance(value, (list, tuple)):
            parts = cast("Sequence[Any]", value)
            return [self._mark(item, forged) for item in parts]
        return value

    @staticmethod
    def _new_mark(token: str, forged: dict[str, str]) -> str:
        # Private-use characters around chance: no text can contain it beforehand.
        mark = f"\ue000{secrets.token_hex(8)}\ue001"
        forged[mark] = token
        return mark

    def _encode_marked(self, text: str, forged: Mapping[str, str]) -> list[int]:
        if not forged:
            return self.encode(text, add_special_tokens=False)
        ids: list[int] = []
        for piece in re.split(f"({'|'.join(map(re.escape, forged))})", text):
            if piece in forged:
                ids += self._encode_as_text(forged[piece])
            elif piece:
                ids += self.encode(piece, add_special_tokens=False)
        return ids

    def _encode_as_text(self, text: str) -> list[int]:
        self._backend.encode_special_tokens = True
        try:
            return self.encode(text, add_special_tokens=False)
        finally:
            self._backend.encode_special_tokens = False

    def _id_of(self, name: str) -> int | None:
        token = self._named_tokens.get(name)
        return None if token is None else self._backend.token_to_id(token)

    def _collect_stop_tokens(self, stop_ids: Sequence[int]) -> list[int]:
        found = [] if self.eos_token_id is None else [self.eos_token_id]
        found += stop_ids
        template = self.chat_template or ""
        for token in _CHAT_END_TOKENS:
            token_id = self._backend.token_to_id(token) if token in template else None
            if token_id is not None:
                found.append(token_id)
        return sorted(set(found))


_END_OF_CONTENT = "\ue000end of content\ue001"
"""Put behind the final message, so that its end is found in what the template made of it. A space
follows, which tells whether the template takes spaces away from the end of a message."""


def _leave_open(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if not messages or not isinstance(content := messages[-1].get("content"), str):
        raise ValueError("There is no text in the final message to continue.")
    return [*messages[:-1], {**messages[-1], "content": f"{content}{_END_OF_CONTENT} "}]


def _cut_at_end_of_content(text: str) -> str:
    before, mark, after = text.rpartition(_END_OF_CONTENT)
    if not mark:
        raise ValueError("The chat template drops the final message, so nothing can follow it.")
    return before if after.startswith(" ") else before.rstrip()


def load_tokenizer(folder: Path, config: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer of a checkpoint folder; `config` is its parsed `config.json`.

    Raises:
        NotACheckpointError: the folder has no tokenizer that this computer can read.
    """
    settings = read_json(folder / "tokenizer_config.json")
    named = _named_tokens(folder, settings)
    path = folder / "tokenizer.json"
    backend = _read_backend(path, named) if path.is_file() else _convert_backend(folder)
    return Tokenizer(
        backend, named, load_chat_template(folder, settings), _stop_ids(folder, config)
    )


def _named_tokens(folder: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of the bos, eos, unk and pad tokens, from either file that may hold them."""
    special = {**read_json(folder / "special_tokens_map.json"), **settings}
    named: dict[str, str] = {}
    for name in _NAMED_TOKENS:
        token: Any = special.get(name)
        if isinstance(token, dict):  # an AddedToken, written out
            token = cast("dict[str, Any]", token).get("content")
        text: object = token
        if isinstance(text, str):
            named[name] = text
    return named


def _read_backend(path: Path, named: Mapping[str, str]) -> tokenizers.Tokenizer:
    try:
        backend = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception
        raise NotACheckpointError(
            f"{path} cannot be read ({error}).", "Download the checkpoint again."
        ) from error
    backend.no_truncation()
    backend.no_padding()
    # A token that the settings name is special, whatever tokenizer.json says of it.
    known = [text for text in named.values() if backend.token_to_id(text) is not None]
    cast("Any", backend).add_special_tokens(known)  # its own types are incomplete
    return backend


def _convert_backend(folder: Path) -> tokenizers.Tokenizer:
    """Return the tokenizer of an older folder, converted by `transformers`."""
    try:
        import transformers  # noqa: PLC0415  seconds, and rarely needed

        loader: Any = transformers.AutoTokenizer  # its own types are incomplete
        backend: tokenizers.Tokenizer = loader.from_pretrained(folder).backend_tokenizer
    except Exception as error:  # transformers raises many kinds
        raise NotACheckpointError(
            f"{folder} has no tokenizer.json, and no other that transformers reads ({error}).",
            "Add tokenizer.json to the folder, or choose another model.",
        ) from error
    return backend


def _stop_ids(folder: Path, config: Mapping[str, Any]) -> list[int]:
    """Return the ids that end an answer, from config.json and generation_config.json."""
    found: list[int] = []
    for source in (config, read_json(folder / "generation_config.json")):
        ids = source.get("eos_token_id")
        found += ids if isinstance(ids, list) else [] if ids is None else [ids]
    return found
