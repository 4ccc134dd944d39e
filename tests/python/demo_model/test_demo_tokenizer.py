"""The tokenizer and the chat template that ship."""

import json
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from ttdirect.demo_model import CHECKPOINT
from ttdirect.demo_model.corpus import load
from ttdirect.demo_model.tokenizer import (
    ASSISTANT_ID,
    BOS_ID,
    CHAT_TEMPLATE,
    END_ID,
    READ_CHARACTERS,
    SPECIAL_TOKENS,
    USER_ID,
)

TOKENIZER: Any = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
TEMPLATE = jinja2.Environment(autoescape=False).from_string(CHAT_TEMPLATE)
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is a token?"},
    {"role": "assistant", "content": "A piece of text."},
    {"role": "user", "content": "  Thank you!\n"},
]


def render(messages: list[dict[str, str]], *, add_generation_prompt: bool = True) -> str:
    return TEMPLATE.render(messages=messages, add_generation_prompt=add_generation_prompt)


@given(st.text())
def test_any_text_survives_a_round_trip(text: str):
    ids = TOKENIZER.encode(text.replace("<|", "< |"), add_special_tokens=False).ids
    assert TOKENIZER.decode(ids) == text.replace("<|", "< |")


@given(st.lists(st.sampled_from([*SPECIAL_TOKENS, "<|", "|>", "<", "|", "user", " ", "\n"])))
def test_the_text_of_a_user_cannot_forge_the_marks_of_a_conversation(pieces: list[str]):
    rendered = render([{"role": "user", "content": "".join(pieces)}])
    ids = TOKENIZER.encode(rendered, add_special_tokens=False).ids
    marks = [token for token in ids if token < len(SPECIAL_TOKENS)]
    assert marks == [BOS_ID, USER_ID, END_ID, ASSISTANT_ID]


def marks(messages: list[dict[str, str]], *, add_generation_prompt: bool = True) -> list[int]:
    rendered = render(messages, add_generation_prompt=add_generation_prompt)
    ids = TOKENIZER.encode(rendered, add_special_tokens=False).ids
    return [token for token in ids if token < len(SPECIAL_TOKENS)]


def test_the_model_sees_the_last_question_and_nothing_else():
    assert marks(CONVERSATION) == [BOS_ID, USER_ID, END_ID, ASSISTANT_ID]
    assert render(CONVERSATION) == render(CONVERSATION[-1:])


@pytest.mark.parametrize("question", ["Another one", "Write another", "And in winter?", "More!"])
def test_a_question_that_leans_on_the_one_before_shows_it(question: str):
    leaning = [*CONVERSATION[:-1], {"role": "user", "content": question}]
    assert marks(leaning) == [BOS_ID, USER_ID, END_ID, USER_ID, END_ID, ASSISTANT_ID]
    assert "What is a token?" in render(leaning)
    assert render([*leaning[1:3] * 8, *leaning]) == render(leaning)


def test_a_conversation_without_a_question_is_rendered_too():
    assert marks(CONVERSATION[:1]) == [BOS_ID, ASSISTANT_ID]


def test_a_last_answer_is_shown_to_be_learned_or_continued():
    answered = [*CONVERSATION, {"role": "assistant", "content": "You are welcome."}]
    turns = [BOS_ID, USER_ID, END_ID, ASSISTANT_ID, END_ID]
    assert marks(answered, add_generation_prompt=False) == turns


@pytest.mark.parametrize("length", [2 * READ_CHARACTERS, 2 * READ_CHARACTERS + 1])
def test_of_a_long_text_the_model_sees_the_beginning_and_the_end(length: int):
    text = "a" * (length - 3) + "end"
    seen = render([{"role": "user", "content": text}])
    whole = f"<|user|> {text}<|end|>"
    cut = f"<|user|> {'a' * READ_CHARACTERS} ... {text[-READ_CHARACTERS:]}<|end|>"
    assert (whole if length <= 2 * READ_CHARACTERS else cut) in seen


@pytest.mark.parametrize("add_generation_prompt", [True, False])
def test_transformers_and_plain_jinja_render_the_same(add_generation_prompt: bool):
    tokenizer: Any = AutoTokenizer.from_pretrained(CHECKPOINT)
    theirs = tokenizer.apply_chat_template(
        CONVERSATION, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    assert theirs == render(CONVERSATION, add_generation_prompt=add_generation_prompt)


def test_transformers_and_tokenizers_give_the_same_ids():
    tokenizer: Any = AutoTokenizer.from_pretrained(CHECKPOINT)
    theirs = tokenizer.apply_chat_template(
        CONVERSATION, tokenize=True, add_generation_prompt=True, return_dict=True
    )["input_ids"]
    assert list(theirs) == TOKENIZER.encode(render(CONVERSATION), add_special_tokens=False).ids


def test_the_template_in_the_folder_is_the_one_in_the_code():
    config = json.loads((CHECKPOINT / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["chat_template"] == CHAT_TEMPLATE


def test_every_answer_fits_into_120_tokens():
    for topic in load().topics.values():
        assert len(TOKENIZER.encode(topic.answer).ids) <= 120, topic.name
