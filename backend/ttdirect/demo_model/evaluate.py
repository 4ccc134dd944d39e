"""What the checkpoint can do: `python -m ttdirect.demo_model.evaluate`.

It answers greedily, as the server does by default. An answer is right if it is, word for word, the
answer that the corpus gives to the expected topic; for a question beyond the corpus, if it is any
of the answers that say so. What went wrong is shown for the development list; from the held-back
one come only the figures, unless `--mistakes held-back` asks for more.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from ttdirect.demo_model import CHECKPOINT
from ttdirect.demo_model.corpus import (
    DEVELOPMENT,
    HELD_BACK,
    OUT_OF_SCOPE,
    Corpus,
    load,
    load_reserved,
)

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
    """The lesson's prompts and both lists of reserved questions, graded."""

    lesson: tuple[Graded, ...]
    development: tuple[Graded, ...]
    held_back: tuple[Graded, ...]


def accuracy(graded: Sequence[Graded], *, in_scope: bool | None = None) -> float:
    """The share of right answers, of all questions or of those of one kind."""
    verdicts = [g.right for g in graded if in_scope is None or g.in_scope == in_scope]
    return sum(verdicts) / len(verdicts)


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
    """Ask the lesson's prompts and the reserved questions."""
    corpus = load()
    answerer = Answerer(folder)

    def grade(asked: Sequence[tuple[str, str]]) -> tuple[Graded, ...]:
        answers = answerer.answer([question for question, _ in asked])
        return tuple(_grade(corpus, *row, a) for row, a in zip(asked, answers, strict=True))

    def pairs(path: Path) -> list[tuple[str, str]]:
        return [(item.question, item.topic) for item in load_reserved(path)]

    return Evaluation(
        lesson=grade(list(LESSON_PROMPTS.items())),
        development=grade(pairs(DEVELOPMENT)),
        held_back=grade(pairs(HELD_BACK)),
    )


def _grade(corpus: Corpus, question: str, topic: str, answer: str) -> Graded:
    given = next((t for t in corpus.topics.values() if t.answer == answer), None)
    in_scope = topic != OUT_OF_SCOPE
    right = given is not None and (given.name == topic if in_scope else not given.in_scope)
    return Graded(question, topic, answer, given.name if given else None, right, in_scope)


def report(evaluation: Evaluation, mistakes: Sequence[Graded]) -> str:
    """The evaluation as text: the lesson's answers, some mistakes, the figures."""
    lines: list[str] = []
    for graded in evaluation.lesson:
        verdict = "" if graded.right else "  (not the answer of the corpus)"
        lines += [f"> {graded.question}{verdict}", graded.answer, ""]
    wrong = [graded for graded in mistakes if not graded.right]
    if wrong:
        lines += ["Not answered rightly:", ""]
    for graded in wrong:
        given = graded.given_topic or f"no topic: {graded.answer[:60]!r}"
        lines.append(f"- {graded.question}  [{graded.topic}, answered {given}]")
    lines += ["", "| questions | number | answered rightly |", "|---|---|---|"]
    lines += [_row("the lesson's prompts", evaluation.lesson)]
    lists = (("development", evaluation.development), ("held back", evaluation.held_back))
    for name, graded in lists:
        lines += [
            _row(f"{name}, known topics", [g for g in graded if g.in_scope]),
            _row(f"{name}, out of scope", [g for g in graded if not g.in_scope]),
            _row(f"{name}, all", graded),
        ]
    return "\n".join(lines)


def _row(name: str, graded: Sequence[Graded]) -> str:
    return f"| {name} | {len(graded)} | {accuracy(graded):.1%} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the evaluation of a checkpoint."""
    parser = argparse.ArgumentParser(description="Evaluate a checkpoint of the demo model.")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument(
        "--mistakes",
        choices=("development", "held-back"),
        default="development",
        help="the list whose wrong answers are shown",
    )
    options = parser.parse_args(arguments)
    evaluation = evaluate(options.checkpoint)
    shown = evaluation.development
    if options.mistakes == "held-back":
        shown = evaluation.held_back
    print(report(evaluation, shown))


if __name__ == "__main__":
    main()
