"""What the checkpoint can do: `python -m ttdirect.demo_model.evaluate`.

It answers greedily, as the server does by default. An answer is right if it is, word for word, the
answer that the corpus gives to the expected topic; for a question beyond the corpus, if it is any
of the answers that say so.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from ttdirect.demo_model import CHECKPOINT
from ttdirect.demo_model.corpus import OUT_OF_SCOPE, Corpus, load, load_held_back

LESSON_PROMPTS = {
    "What is machine learning?": "machine-learning",
    "Explain neural networks in simple terms": "neural-networks",
    "Write a haiku about programming": "haiku-programming",
    "What are transformers in AI?": "transformers",
    "Explain quantum computing": "quantum-computing",
    "Write a creative story": "story",
}
MAX_NEW_TOKENS = 128
_BATCH = 32


@dataclass(frozen=True)
class Graded:
    """One question, its answer, and the verdict."""

    question: str
    topic: str
    answer: str
    given_topic: str | None
    right: bool
    in_scope: bool


@dataclass(frozen=True)
class Evaluation:
    """The lesson's prompts and the held-back questions, graded."""

    lesson: tuple[Graded, ...]
    held_back: tuple[Graded, ...]

    def accuracy(self, *, in_scope: bool) -> float:
        """The share of right answers among the held-back questions of one kind."""
        verdicts = [graded.right for graded in self.held_back if graded.in_scope == in_scope]
        return sum(verdicts) / len(verdicts)

    @property
    def overall(self) -> float:
        """The share of right answers among all held-back questions."""
        return sum(graded.right for graded in self.held_back) / len(self.held_back)


class Answerer:
    """The checkpoint, ready to answer questions in batches."""

    def __init__(self, folder: Path = CHECKPOINT) -> None:
        # transformers is untyped where it matters, so it is Any from here on.
        tokenizers, models = cast("Any", AutoTokenizer), cast("Any", LlamaForCausalLM)
        self._tokenizer: Any = tokenizers.from_pretrained(folder)
        self._tokenizer.padding_side = "left"
        self._model: Any = models.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(self, questions: Sequence[str]) -> list[str]:
        """Greedy answers to single questions, in their order."""
        return self.reply([[{"role": "user", "content": question}] for question in questions])

    def reply(self, conversations: Sequence[list[dict[str, str]]]) -> list[str]:
        """Greedy replies to whole conversations. Similar lengths share a batch."""
        texts = [
            self._tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True)
            for c in conversations
        ]
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        answers = [""] * len(texts)
        for first in range(0, len(order), _BATCH):
            chosen = order[first : first + _BATCH]
            for index, answer in zip(
                chosen, self._generate([texts[i] for i in chosen]), strict=True
            ):
                answers[index] = answer
        return answers

    def _generate(self, texts: list[str]) -> list[str]:
        inputs = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=MAX_NEW_TOKENS,
                do_sample=False,
            )
        new = output[:, inputs["input_ids"].shape[1] :]
        return self._tokenizer.batch_decode(new, skip_special_tokens=True)


def evaluate(folder: Path = CHECKPOINT) -> Evaluation:
    """Ask the lesson's prompts and the held-back questions."""
    corpus = load()
    held_back = load_held_back()
    questions = [*LESSON_PROMPTS, *(item.question for item in held_back)]
    topics = [*LESSON_PROMPTS.values(), *(item.topic for item in held_back)]
    answers = Answerer(folder).answer(questions)
    graded = [_grade(corpus, *row) for row in zip(questions, topics, answers, strict=True)]
    lesson = len(LESSON_PROMPTS)
    return Evaluation(lesson=tuple(graded[:lesson]), held_back=tuple(graded[lesson:]))


def _grade(corpus: Corpus, question: str, topic: str, answer: str) -> Graded:
    given = next((t for t in corpus.topics.values() if t.answer == answer), None)
    in_scope = topic != OUT_OF_SCOPE
    right = given is not None and (given.name == topic if in_scope else not given.in_scope)
    return Graded(question, topic, answer, given.name if given else None, right, in_scope)


def report(evaluation: Evaluation) -> str:
    """The evaluation as text: the lesson's answers, the mistakes, the figures."""
    lines: list[str] = []
    for graded in evaluation.lesson:
        verdict = "" if graded.right else "  (not the answer of the corpus)"
        lines += [f"> {graded.question}{verdict}", graded.answer, ""]
    wrong = [graded for graded in evaluation.held_back if not graded.right]
    if wrong:
        lines += ["Held-back questions that were not answered rightly:", ""]
    for graded in wrong:
        given = graded.given_topic or f"no topic: {graded.answer[:60]!r}"
        lines.append(f"- {graded.question}  [{graded.topic}, answered {given}]")
    total = len(evaluation.held_back)
    known = sum(graded.in_scope for graded in evaluation.held_back)
    lesson = sum(graded.right for graded in evaluation.lesson) / len(evaluation.lesson)
    rows = (
        ("the lesson's prompts", len(evaluation.lesson), lesson),
        ("held back, known topics", known, evaluation.accuracy(in_scope=True)),
        ("held back, out of scope", total - known, evaluation.accuracy(in_scope=False)),
        ("held back, all", total, evaluation.overall),
    )
    lines += ["", "| questions | number | answered rightly |", "|---|---|---|"]
    lines += [f"| {name} | {number} | {share:.1%} |" for name, number, share in rows]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the evaluation of a checkpoint."""
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint of the demo model.")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    print(report(evaluate(parser.parse_args(arguments).checkpoint)))


if __name__ == "__main__":
    main()
