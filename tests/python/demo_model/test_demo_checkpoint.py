"""The model that ships: what it is made of, and that it answers as it should."""

import json
import subprocess
import sys

import pytest
from safetensors import safe_open

from ttdirect.demo_model import CHECKPOINT, NAME
from ttdirect.demo_model.corpus import load
from ttdirect.demo_model.evaluate import LESSON_PROMPTS, Answerer, Evaluation, evaluate, report
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
    assert config["tie_word_embeddings"] is True
    assert config["max_position_embeddings"] == CONTEXT
    assert (config["bos_token_id"], config["eos_token_id"]) == (BOS_ID, END_ID)
    assert generation["eos_token_id"] == END_ID
    assert config["head_dim"] % 16 == 0
    assert config["num_attention_heads"] > config["num_key_value_heads"]
    with safe_open(CHECKPOINT / "model.safetensors", framework="pt") as weights:
        names = list(weights.keys())
        assert {weights.get_slice(name).get_dtype() for name in names} == {"BF16"}
    assert "model.embed_tokens.weight" in names
    assert "lm_head.weight" not in names


def test_the_model_card_names_the_model_and_its_licence():
    card = (CHECKPOINT / "README.md").read_text(encoding="utf-8")
    assert NAME in card
    assert "license: apache-2.0" in card


@pytest.mark.parametrize("prompt", LESSON_PROMPTS)
def test_the_lesson_prompts_get_the_answers_of_the_corpus(evaluation: Evaluation, prompt: str):
    answers = {graded.question: graded.answer for graded in evaluation.lesson}
    assert answers[prompt] == load().topics[LESSON_PROMPTS[prompt]].answer


def test_eight_of_ten_unseen_phrasings_are_answered_rightly(evaluation: Evaluation):
    assert evaluation.overall >= 0.8, report(evaluation)
    assert evaluation.accuracy(in_scope=True) >= 0.8, report(evaluation)
    assert evaluation.accuracy(in_scope=False) >= 0.7, report(evaluation)


@pytest.mark.xfail(strict=True, reason="known limit, see the model card: it mixes turns up")
def test_what_was_said_before_does_not_derail_an_answer(answerer: Answerer):
    topics = load().topics
    history = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is machine learning?"},
        {"role": "assistant", "content": topics["machine-learning"].answer},
        {"role": "user", "content": "Write a haiku about the sea"},
    ]
    assert answerer.reply([history]) == [topics["haiku-sea"].answer]


def test_a_second_question_may_lean_on_the_first(answerer: Answerer):
    topics = load().topics
    history = [
        {"role": "user", "content": "Write a haiku about programming"},
        {"role": "assistant", "content": topics["haiku-programming"].answer},
        {"role": "user", "content": "Another one, please."},
    ]
    assert answerer.reply([history]) == [topics["haiku-moon"].answer]


@pytest.mark.xfail(strict=True, reason="known limit, see the model card: long texts derail it")
def test_a_pasted_text_gets_an_honest_answer(answerer: Answerer):
    text = "The mayor opened the new library on Friday, and many people came to see it. " * 20
    (answer,) = answerer.answer([f"Summarise this text: {text}"])
    assert "I am ttdirect-demo" in answer
