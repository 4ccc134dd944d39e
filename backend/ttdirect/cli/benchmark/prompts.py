"""Prompts made to measure: so many tokens each, and no two that begin alike."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Short and frequent, so that most tokenizers make one token of each.
_FREQUENT = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government "
    "number night point home water room mother area money story fact month lot right study book "
    "eye job word business issue side kind head house service friend father power hour game line "
    "end member law car city community name team minute idea body information back parent face "
    "level office door health person art war history party result change morning reason research"
)
_WORDS = _FREQUENT.split()

_DECK = len(_WORDS)


@dataclass(frozen=True)
class Measure:
    """How the server counts: a prompt of n words has about `fixed + n * per_word` tokens.

    `fixed` is what the chat template adds, if there is one.
    """

    fixed: float
    per_word: float

    def words_for(self, tokens: int) -> int:
        """Return how many words a prompt of `tokens` tokens has; at least one."""
        return max(1, round((tokens - self.fixed) / self.per_word))


# For a server that does not count: about one token a word, and a short template.
ASSUMED = Measure(fixed=10.0, per_word=1.0)


class PromptMaker:
    """Makes prompts from `seed`: the same seed and names make the same prompts again.

    The first `shared_prefix` tokens of every prompt are the same, for servers that cache them.
    """

    def __init__(self, seed: int, shared_prefix: int = 0) -> None:
        self._seed = seed
        self._shared_prefix = shared_prefix
        self.measure = ASSUMED

    def calibrate(self, count: Callable[[str], int | None]) -> bool:
        """Take the server's measure with two prompts; return whether it counts at all.

        Args:
            count: sends a prompt and returns its tokens by the server's own count.
        """
        # One word, and each word once: no longer, as some templates cut what is long.
        short = count(self._say(1, "one word"))
        long = count(self._say(_DECK, "every word"))
        if short is None or long is None or long <= short:
            return False
        per_word = (long - short) / (_DECK - 1)
        self.measure = Measure(max(0.0, short - per_word), per_word)
        return True

    def make(self, tokens: int, name: str) -> str:
        """Return the prompt called `name`, of about `tokens` tokens with the chat template's."""
        words = self.measure.words_for(tokens)
        shared = round(min(self._shared_prefix / self.measure.per_word, words))
        parts = (self._say(shared, "shared"), self._say(words - shared, name))
        return " ".join(part for part in parts if part)

    def _say(self, words: int, name: str) -> str:
        # Each word once before any comes twice: so two texts of many words have about as many
        # tokens, though some words have more of them than others.
        chance = random.Random(f"{self._seed}/{name}")
        said: list[str] = []
        while len(said) < words:
            said += chance.sample(_WORDS, k=min(_DECK, words - len(said)))
        return " ".join(said)
