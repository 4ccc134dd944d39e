"""What prompt and answer have said so far, and how that weighs on the next token."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ttdirect.engine.request import Request


class Penalties:
    """The penalties of one request.

    Presence and frequency penalty concern the tokens of the answer, as OpenAI defines them. The
    repetition penalty concerns those of the prompt, too, as Hugging Face defines it.
    """

    def __init__(self, request: Request) -> None:
        params = request.sampling
        self._repetition = params.repetition_penalty
        self._frequency = params.frequency_penalty
        self._presence = params.presence_penalty
        self._counts: Counter[int] = Counter()
        # A long prompt has many tokens: they become a tensor once, and not in every step.
        self._seen = torch.tensor(sorted(set(request.prompt_ids)), dtype=torch.int64)

    def apply(self, row: torch.Tensor) -> None:
        """Change logits `[V]` in place."""
        if self._repetition != 1.0:
            seen = self._seen[self._seen < row.numel()]
            values = row[seen]
            # Whatever its sign, a logit moves down: both ways make the token less likely.
            row[seen] = torch.where(
                values > 0, values / self._repetition, values * self._repetition
            )
        if self._counts and (self._frequency or self._presence):
            said = torch.tensor(list(self._counts), dtype=torch.int64)
            times = torch.tensor(list(self._counts.values()), dtype=row.dtype)
            row[said] -= self._frequency * times + self._presence

    def note(self, token: int) -> None:
        """Count a token of the answer."""
        self._counts[token] += 1
        if self._counts[token] == 1 and not bool((self._seen == token).any()):
            self._seen = torch.cat([self._seen, torch.tensor([token])])
