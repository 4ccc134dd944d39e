"""The model that ships: what it is made of, and that it answers as it should."""

import json
import subprocess
import sys

import pytest
from safetensors import safe_open

from ttdirect.demo_model import CHECKPOINT, NAME
from ttdirect.demo_model.corpus import load
from ttdirect.demo_model.evaluate import LESSON_PROMPTS, Answerer, Evaluation, accuracy, evaluate
from ttdirect.demo_model.tokenizer import BOS_ID, CONTEXT, END_ID


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    return Answerer()


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate()


def test_importing_the_package_brings_no_heavy_library(tmp_path):
    """The server asks for the path and the name before it knows whether it needs torch."""
    code = (
        "import sys, ttdirect.demo_model as m; assert m.CHECKPOINT.is_dir(); "
        "assert not {'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_folder_is_small_and_holds_no_pickle():
    files = [path for path in CHECKPOINT.parent.rglob("*") if path.is_file()]
    shipped = [path for path in files if "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in shipped) < 12_000_000
    assert {path.suffix for path in CHECKPOINT.iterdir()} <= {".json", ".safetensors", ".md"}


def test_the_folder_is_an_ordinary_llama_checkpoint():
    config = json.loads((CHECKPOINT / "config.json").read_text())
    generation = json.loads((CHECKPOINT / "generation_config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["tie_word_embeddings"] is False
    assert config["max_position_embeddings"] == CONTEXT
    assert (config["bos_token_id"], config["eos_token_id"]) == (BOS_ID, END_ID)
    assert generation["eos_token_id"] == END_ID
    assert config["head_dim"] % 16 == 0
    assert config["num_attention_heads"] > config["num_key_value_heads"]
    with safe_open(CHECKPOINT / "model.safetensors", framework="pt") as weights:
        names = list(weights.keys())
        assert {weights.get_slice(name).get_dtype() for name in names} == {"BF16"}
    assert {"model.embed_tokens.weight", "lm_head.weight"} <= set(names)


def test_the_model_card_names_the_model_and_its_licence():
    card = (CHECKPOINT / "README.md").read_text(encoding="utf-8")
    assert NAME in card
    assert "license: apache-2.0" in card


@pytest.mark.parametrize("prompt", LESSON_PROMPTS)
def test_the_lesson_prompts_get_the_answers_of_the_corpus(evaluation: Evaluation, prompt: str):
    answers = {graded.question: graded.answer for graded in evaluation.lesson}
    assert answers[prompt] == load().topics[LESSON_PROMPTS[prompt]].answer


def test_eight_of_ten_unseen_phrasings_are_answered_rightly(evaluation: Evaluation):
    assert accuracy(evaluation.held_back) >= 0.8
    assert accuracy(evaluation.held_back, in_scope=True) >= 0.8
    assert accuracy(evaluation.held_back, in_scope=False) >= 0.8


def two_questions(before: str, said: str, question: str) -> list[dict[str, str]]:
    """A question, its answer from the corpus's topic `said`, and another question."""
    return [
        {"role": "user", "content": before},
        {"role": "assistant", "content": load().topics[said].answer},
        {"role": "user", "content": question},
    ]


EARLIER = (
    ("What is machine learning?", "machine-learning", "Write a haiku about the sea", "haiku-sea"),
    ("Write a creative story", "story", "How do I stop the server?", "stop-server"),
    ("Hello!", "hello", "What is a KV cache?", "kv-cache"),
    ("What is prefill?", "prefill", "Explain quantum computing", "quantum-computing"),
    ("Explain neural networks", "neural-networks", "Tell me a joke", "joke"),
)


@pytest.mark.parametrize(("before", "said", "question", "topic"), EARLIER)
def test_what_was_said_before_does_not_derail_an_answer(
    answerer: Answerer, before: str, said: str, question: str, topic: str
):
    system = {"role": "system", "content": "You are a helpful assistant."}
    history = [system, *two_questions(before, said, question)]
    assert answerer.reply([history]) == [load().topics[topic].answer]


def test_nor_do_eight_turns(answerer: Answerer):
    topics = load().topics
    history: list[dict[str, str]] = []
    for before, said, question, topic in EARLIER[:4]:
        for asked, answered in ((before, said), (question, topic)):
            history.append({"role": "user", "content": asked})
            history.append({"role": "assistant", "content": topics[answered].answer})
    history.append({"role": "user", "content": "What is a tokenizer?"})
    assert answerer.reply([history]) == [topics["tokenizer"].answer]


LEANING = (
    ("Write a haiku about programming", "haiku-programming", "Another one, please.", "haiku-moon"),
    ("What is prefill?", "prefill", "And decode?", "decode"),
    ("How do I start the server?", "start-server", "And how do I stop it?", "stop-server"),
)


@pytest.mark.parametrize(("before", "said", "question", "topic"), LEANING)
def test_a_second_question_may_lean_on_the_first(
    answerer: Answerer, before: str, said: str, question: str, topic: str
):
    history = two_questions(before, said, question)
    assert answerer.reply([history]) == [load().topics[topic].answer]


LIBRARY = "The mayor opened the new library on Friday, and many people came to see it. "
GRANDMOTHER = (
    "Grandmother kept her recipes in a tin box. When she died, we found among them a ticket to "
    "Lisbon that she had never used. Nobody in the family knew what to make of it. "
)
LIFT = (
    "Dear all, the lift in the north wing is out of order again. Please take the stairs until the "
    "engineers have looked at it, which should be on Thursday. We apologise for the trouble. "
)


@pytest.mark.parametrize("text", [LIBRARY * 20, GRANDMOTHER * 3, LIFT])
@pytest.mark.parametrize("before", ["Summarise this text: ", "Please correct the grammar. ", ""])
def test_a_pasted_text_gets_an_honest_answer(answerer: Answerer, text: str, before: str):
    (answer,) = answerer.answer([before + text])
    refusals = [topic.answer for topic in load().topics.values() if not topic.in_scope]
    assert answer in refusals
