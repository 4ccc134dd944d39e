"""Answers that have to look like something: JSON, a JSON schema, a choice, a regular expression.

The llguidance library does the work. It is imported when the first request asks for it, so that
a server without it starts and answers everything else.
"""

from __future__ import annotations

import copy
import functools
import json
import math
import threading
from typing import TYPE_CHECKING, Any, Literal

import torch

from ttdirect.engine.errors import GrammarError

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

GrammarKind = Literal["json_object", "json_schema", "regex", "choice", "grammar"]
"""What a grammar is written as; "grammar" is the text of a Lark or GBNF (EBNF) grammar."""

CACHED_GRAMMARS = 64
LONGEST_REASON = 200
FUEL = 200_000
"""Work that the library may spend on a grammar's patterns. A schema of 500 fields fits well, and a
pattern made to take for ever holds up the other requests for less than half a second, once."""
SPACE = r" |\n{1,2}[ \t]{0,20}"
"""Between the parts of JSON: a model that may write space without end sometimes does."""

BITS = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)

_NAMES = {
    "json_object": "JSON object",
    "json_schema": "JSON schema",
    "regex": "regular expression",
    "choice": "list of choices",
    "grammar": "grammar",
}


class Matcher:
    """Follows one answer through its grammar.

    Args:
        state: the library's matcher, at the beginning of an answer.
        stop_ids: the tokens that end the answer.
    """

    def __init__(self, state: LLMatcher, stop_ids: frozenset[int]) -> None:
        self._state = state
        self._stop_ids = stop_ids

    def restrict(self, row: torch.Tensor) -> None:
        """Put minus infinity into logits `[V]`, in place, where a token would break the grammar.

        Where the grammar is at its end, only the tokens that end the answer are left; where it
        may end, the model's own end tokens are allowed beside the others.

        Raises:
            GrammarError: no token is left, or the grammar got too complex.
        """
        allowed = _allowed(self._state)
        self._refuse_errors()
        if self._stop_ids and self._state.is_stopped():
            allowed = torch.isin(torch.arange(row.numel()), torch.tensor(list(self._stop_ids)))
        # The model's table of tokens may be longer than the tokenizer's, or shorter.
        known = min(allowed.numel(), row.numel())
        if not bool(allowed[:known].any()):
            raise GrammarError("The model has no token that the grammar allows here.")
        row[:known].masked_fill_(~allowed[:known], -math.inf)
        row[known:] = -math.inf

    def accept(self, token: int) -> None:
        """Note the token that was chosen.

        Raises:
            GrammarError: it breaks the grammar.
        """
        if not self._state.is_stopped():
            self._state.consume_token(token)
        self._refuse_errors()

    def _refuse_errors(self) -> None:
        if self._state.is_error():
            raise GrammarError(f"The grammar cannot go on: {_reason(self._state.get_error())}")


class Grammar:
    """What answers have to look like; compiled once, used by any number of requests.

    Args:
        start: the library's matcher at the beginning of an answer; it stays there.
    """

    def __init__(self, start: LLMatcher) -> None:
        self._start = start

    def matcher(self, stop_ids: frozenset[int]) -> Matcher:
        """A matcher at the beginning of an answer that these tokens end."""
        return Matcher(self._start.deep_copy(), stop_ids)


class GrammarCompiler:
    """Compiles grammars for one model; any thread may call it.

    Args:
        tokenizer: a Hugging Face fast tokenizer, or another with a `tokenizers.Tokenizer` as its
            `backend_tokenizer`.
        stop_ids: the model's own end tokens.
    """

    def __init__(self, tokenizer: Any, stop_ids: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._stop_ids = stop_ids
        self._building = threading.Lock()
        self._vocabulary: LLTokenizer | None = None
        self._cached = functools.lru_cache(CACHED_GRAMMARS)(self._build)

    def compile(self, kind: GrammarKind, definition: Any = None) -> Grammar:
        """Compile a grammar, or take it from those that were compiled before.

        Args:
            kind: what `definition` is.
            definition: a dict for "json_schema", a list of strings for "choice", text for
                "regex" and "grammar"; nothing for "json_object", which is any JSON object.

        Raises:
            GrammarError: the definition is wrong or matches nothing, llguidance is not installed,
                or it does not know this kind of tokenizer.
        """
        try:
            source = _source(kind, definition)
        except (TypeError, ValueError, RecursionError) as error:
            raise _refusal(kind, str(error)) from error
        return self._cached(kind, source)

    def _build(self, kind: GrammarKind, source: str) -> Grammar:
        from llguidance import LLMatcher, LLParserLimits  # noqa: PLC0415 - `_source` has tried

        limits = LLParserLimits(initial_lexer_fuel=FUEL, verbose_errors=False)
        start = LLMatcher(self._known_tokens(), source, log_level=0, limits=limits)
        can_begin = bool(_allowed(start).any())
        if start.is_error():
            raise _refusal(kind, start.get_error())
        if not can_begin:
            raise _refusal(kind, "no text of this model's tokens matches it")
        return Grammar(start)

    def _known_tokens(self) -> LLTokenizer:
        """The library's own view of the tokenizer, which takes up to a second to build."""
        with self._building:
            if self._vocabulary is None:
                self._vocabulary = _read_tokenizer(self._tokenizer, self._stop_ids)
            return self._vocabulary


def _read_tokenizer(tokenizer: Any, stop_ids: frozenset[int]) -> LLTokenizer:
    from llguidance import LLTokenizer  # noqa: PLC0415 - see the top

    try:
        backend = copy.copy(tokenizer.backend_tokenizer)
        # Hugging Face's tokenizers keep the settings of their last call.
        backend.no_padding()
        backend.no_truncation()
        known = backend.get_vocab_size(with_added_tokens=True)
        ends = sorted(token for token in stop_ids if token < known)
        return LLTokenizer(backend.to_str(), eos_token=ends or None)
    except (AttributeError, ValueError) as error:
        raise GrammarError(
            "This model's tokenizer cannot follow a grammar. Choose a model with a tokenizer.json."
        ) from error


def _source(kind: GrammarKind, definition: Any) -> str:
    """The grammar in the library's own form.

    Raises:
        GrammarError: the library is not there.
        TypeError: the definition is of another type.
        ValueError: it is wrong.
    """
    try:
        from llguidance import LLMatcher, grammar_from  # noqa: PLC0415 - see the top
    except ImportError as error:
        raise GrammarError(
            "Answers in a given form need the llguidance library, which this server lacks: "
            "pip install llguidance, and start the server again."
        ) from error

    if kind == "json_object":
        definition = {"type": "object"}
    if kind in ("json_object", "json_schema"):
        _expect(definition, dict, "an object")
        schema = json.dumps(definition, allow_nan=False)
        return LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_pattern": SPACE})
    if kind == "choice":
        _expect(definition, list, "a list of strings")
        return LLMatcher.grammar_from_lark(f"start: {_alternatives(definition)}")
    _expect(definition, str, "text")
    definition.encode()  # half of a surrogate pair is no text
    return grammar_from(kind, definition)


def _alternatives(choices: list[Any]) -> str:
    if not choices:
        raise ValueError("it is empty")
    for choice in choices:
        _expect(choice, str, "a list of strings")
    # As characters, not as \u escapes: a pair of those for one character would be two.
    text = " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
    text.encode()
    return text


def _expect(value: Any, wanted: type, in_words: str) -> None:
    if not isinstance(value, wanted):
        raise TypeError(f"it must be {in_words}")


def _allowed(state: LLMatcher) -> torch.Tensor:
    """Which tokens may come next, bool `[tokens of the tokenizer, rounded up]`."""
    packed = torch.frombuffer(bytearray(state.compute_bitmask()), dtype=torch.uint8)
    return (packed.unsqueeze(1) & BITS).flatten() != 0


def _refusal(kind: GrammarKind, message: str) -> GrammarError:
    return GrammarError(f"This {_NAMES[kind]} cannot be used: {_reason(message)}")


def _reason(message: str) -> str:
    """The line of the library's message that says what is wrong; it may draw a picture, too."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    reason = (errors or lines or ["it is wrong"])[0]
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} ..."
