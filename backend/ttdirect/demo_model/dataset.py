"""Training examples: conversations as token ids, with the part that the model has to say.

Most of the difficulty lies in choosing the right answer, which its first few tokens decide; the
rest is recitation. So many examples end soon after the answer has begun: for the same time, the
model sees several times as many different questions.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

from ttdirect.demo_model.corpus import Corpus, Topic, normalise
from ttdirect.demo_model.phrasing import Phrasebook
from ttdirect.demo_model.tokenizer import ASSISTANT_ID, BOS_ID, END_ID, SPECIAL_TOKENS, USER_ID

# Shares of the examples.
_CUT_SHORT = 0.5
_FOLLOWING = 0.15
_LEANING = 0.03
_PLAIN_TEXT = 0.03
_BEGUN = 0.08
_LOST = 0.05
_POOL = 512


@dataclass(frozen=True)
class Example:
    """Token ids; the model learns to say those from `start` on.

    `topic` is the number of the answer's topic, where none of it has been said.
    """

    ids: list[int]
    start: int
    topic: int = -1


class Examples:
    """An endless, seeded stream of examples, in which no reserved question ever occurs."""

    def __init__(
        self, corpus: Corpus, tokenizer: Tokenizer, *, seed: int, reserved: frozenset[str]
    ) -> None:
        self._rng = random.Random(seed)
        self._phrasebook = Phrasebook(corpus, self._rng)
        self._tokenizer = tokenizer
        self._reserved = reserved
        self._corpus = corpus
        self._topics = list(corpus.topics.values())
        self._weights = [topic.weight for topic in self._topics]
        self._numbers = {topic.name: number for number, topic in enumerate(self._topics)}

    def question(self, topic: Topic) -> str:
        """A question for the topic that is not reserved for the evaluation."""
        while True:
            question = self._phrasebook.question(topic)
            if normalise(question) not in self._reserved:
                return question

    def unanswered(self) -> Example:
        """A question without its answer, for learning to understand alone."""
        ids, topic = self._conversation()
        # Some tokens are lost, so that no single one is enough to recognise a question by.
        low, high = len(SPECIAL_TOKENS), self._tokenizer.get_vocab_size() - 1
        for place in range(2, len(ids) - 2):
            if ids[place] >= low and self._rng.random() < _LOST:
                ids[place] = self._rng.randint(low, high)
        return Example(ids, start=len(ids), topic=self._numbers[topic.name])

    def example(self) -> Example:
        """A conversation, or a piece of plain text, to be completed."""
        kind = self._rng.random()
        if kind < _PLAIN_TEXT:
            return self._plain_text()
        if kind < _PLAIN_TEXT + _BEGUN:
            return self._begun()
        ids, topic = self._conversation()
        answer = self._answer(topic)
        if self._rng.random() < _CUT_SHORT:
            answer = answer[: self._rng.randint(1, 5)]
        return Example(ids + answer, start=len(ids))

    def _conversation(self) -> tuple[list[int], Topic]:
        """A conversation that waits for an answer, and the topic of that answer.

        It holds what the chat template can show: the question, at times with the one before it,
        which some lean on and others have to ignore.
        """
        kind = self._rng.random()
        if kind < _LEANING:
            script = self._rng.choice(self._corpus.conversations)
            before = self._corpus.topics[self._rng.choice(script.after)]
            ids = self._said([BOS_ID], self.question(before))
            question = self._phrasebook.follow_up(script.questions)
            return [*self._said(ids, question), ASSISTANT_ID], self._corpus.topics[script.answer]
        ids = [BOS_ID]
        if kind < _LEANING + _FOLLOWING:
            ids = self._said(ids, self.question(self._topic()))
        topic = self._topic()
        return [*self._said(ids, self.question(topic)), ASSISTANT_ID], topic

    def _begun(self) -> Example:
        """An answer that does not fit its question, to be continued from a few words on.

        Whatever has been begun is to be finished: without this, a doubtful start ends in a
        mixture of two answers.
        """
        ids = [*self._said([BOS_ID], self.question(self._topic())), ASSISTANT_ID]
        answer = self._answer(self._topic())
        start = len(ids) + self._rng.randint(2, 7)
        ids += answer
        return Example(ids, start=min(start, len(ids) - 1))

    def batches(self, count: int, *, tokens: int, answers: bool) -> Iterator[list[Example]]:
        """`count` examples in batches of similar length, at most `tokens` each with padding."""
        make = self.example if answers else self.unanswered
        for first in range(0, count, _POOL):
            pool = [make() for _ in range(min(_POOL, count - first))]
            pool.sort(key=lambda example: len(example.ids))
            batches: list[list[Example]] = []
            batch: list[Example] = []
            for example in pool:
                if batch and (len(batch) + 1) * len(example.ids) > tokens:
                    batches.append(batch)
                    batch = []
                batch.append(example)
            batches.append(batch)
            self._rng.shuffle(batches)
            yield from batches

    def _topic(self) -> Topic:
        return self._rng.choices(self._topics, self._weights)[0]

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def _said(self, ids: list[int], question: str) -> list[int]:
        question = question.replace("<|", "< |").strip()
        return [*ids, USER_ID, *self._encode(" " + question), END_ID]

    def _answer(self, topic: Topic) -> list[int]:
        return [*self._encode(topic.answer), END_ID]

    def _plain_text(self) -> Example:
        """Text without marks, as `/v1/completions` sends it: an answer to be continued."""
        topic = self._topic()
        ids = self._answer(topic)
        if self._rng.random() < 0.4:
            question = self._encode(self.question(topic) + "\n")
            return Example(question + ids, start=len(question))
        return Example(ids, start=1)
