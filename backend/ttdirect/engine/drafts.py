"""Guesses at an answer's next tokens, from what prompt and answer have said before.

Summaries, quotations and edited code repeat long stretches of their prompt. Where the newest
tokens stood before, those that followed there are drafted, and one step computes them all: each
drafted token in an idle row of the decode batch, with the page table of its sequence, one position
behind the row before it. The sampler then chooses row by row, as it would have chosen step by
step, for as long as the draft says the same. So a draft can save steps and can never change an
answer. What a wrong one has written stands behind the answer's end, in the sequence's own blocks,
and is written over before anybody reads it.

A row more costs little as long as a step's time goes into reading the weights, but it does cost
something. So a drafter is tried on paper first: it follows a copy without drafting from it until
as many tokens in a row were the same as the *bar* asks for. Each guess that was trusted and wrong
raises the bar, each right one lowers it: text that only seems to repeat itself soon costs nothing
any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence as Items

    from ttdirect.engine.request import Request, Token
    from ttdirect.engine.sequence import Sequence

PHRASES = (3, 2)
"""Tokens that have to stand alike for a copy to be found; the longer ones are looked for first."""

LOWEST_BAR, HIGHEST_BAR = 2, 8
"""Tokens that have to be the same before a copy is trusted."""


class Drafter:
    """Follows one answer, and guesses how it goes on.

    Each token costs the same, however long the text is.
    """

    def __init__(self, request: Request) -> None:
        self._text = list(request.prompt_ids)
        self._prompt_length = len(self._text)
        self._stop_ids = request.stop_ids
        self._bar = LOWEST_BAR
        self._source = 0
        """Where the copy that is followed goes on."""
        self._matched = 0
        """How many tokens before that are the same as the newest ones; 0 without a copy."""
        self._behind: dict[tuple[int, ...], int] = {}
        """For each phrase, the place behind where it stood last."""
        for size in PHRASES:
            phrases = zip(*(self._text[start:] for start in range(size)), strict=False)
            self._behind.update((phrase, size + at) for at, phrase in enumerate(phrases))

    def draft(self, answer: Items[Token], most: int) -> tuple[int, ...]:
        """Guess the tokens behind an answer.

        A copy is expected to go on for as long as it has gone well. It may run into its own
        beginning, as in a text that goes in circles. A stop token is never drafted: nothing would
        come behind it.

        Args:
            answer: its tokens so far; those of the last call come first.
            most: the most tokens to guess.

        Returns:
            At most `most` token ids; none where nothing repeats itself.
        """
        for token in answer[len(self._text) - self._prompt_length :]:
            self._read(token.id)
        drafted: list[int] = []
        if self._matched < self._bar:
            return ()
        for at in range(self._source, self._source + min(most, self._matched)):
            ahead = at - len(self._text)
            token = self._text[at] if ahead < 0 else drafted[ahead]
            if token in self._stop_ids:
                break
            drafted.append(token)
        return tuple(drafted)

    def _read(self, token: int) -> None:
        if self._matched:
            self._compare(token)
        self._text.append(token)
        newest = [tuple(self._text[-size:]) for size in PHRASES]
        if not self._matched:
            self._find(newest)
        self._behind.update(dict.fromkeys(newest, len(self._text)))

    def _compare(self, token: int) -> None:
        """Follow the copy by one token, or leave it; learn from it if it was trusted."""
        was_trusted = self._matched >= self._bar
        if self._text[self._source] == token:
            self._source += 1
            self._matched += 1
            self._bar = max(LOWEST_BAR, self._bar - was_trusted)
        else:
            self._matched = 0
            self._bar = min(HIGHEST_BAR, self._bar + was_trusted)

    def _find(self, newest: list[tuple[int, ...]]) -> None:
        """Look for a copy of the newest tokens, and how far back it reaches."""
        place = next((self._behind[phrase] for phrase in newest if phrase in self._behind), None)
        if place is None:
            return
        text, matched = self._text, PHRASES[-1]
        longest = min(place, HIGHEST_BAR)
        while matched < longest and text[place - 1 - matched] == text[-1 - matched]:
            matched += 1
        self._source, self._matched = place, matched


def draft_for(sequences: Items[Sequence], rows: int) -> dict[Sequence, tuple[int, ...]]:
    """Draft for sequences that share some idle rows.

    Nobody gets more than another one who could have used them, but for a single row.

    Args:
        sequences: those that take part in the step.
        rows: idle rows that may be used.

    Returns:
        The drafted tokens of those sequences that have any.
    """
    if rows < 1:
        return {}
    wishes = [(sequence, sequence.draft(rows)) for sequence in sequences]
    wishes = sorted((wish for wish in wishes if wish[1]), key=lambda wish: len(wish[1]))
    drafts: dict[Sequence, tuple[int, ...]] = {}
    for number, (sequence, wish) in enumerate(wishes):
        share = rows // (len(wishes) - number)
        if granted := wish[:share]:
            drafts[sequence] = granted
            rows -= len(granted)
    return drafts
