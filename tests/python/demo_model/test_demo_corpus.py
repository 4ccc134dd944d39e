"""The corpus: what a newcomer reads, so it is checked like code."""

import random
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from ttdirect.demo_model import CHECKPOINT
from ttdirect.demo_model.corpus import (
    DEVELOPMENT,
    HELD_BACK,
    OUT_OF_SCOPE,
    Corpus,
    Reserved,
    Topic,
    load,
    load_reserved,
    normalise,
)
from ttdirect.demo_model.dataset import Examples
from ttdirect.demo_model.evaluate import LESSON_PROMPTS
from ttdirect.demo_model.phrasing import Phrasebook, plain_phrasings


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load()


def known(corpus: Corpus) -> list[Topic]:
    return [topic for topic in corpus.topics.values() if topic.in_scope]


def all_reserved() -> list[Reserved]:
    return [*load_reserved(DEVELOPMENT), *load_reserved(HELD_BACK)]


def test_the_corpus_has_hundreds_of_topics(corpus: Corpus):
    assert len(known(corpus)) >= 200


def test_no_phrasing_asks_for_two_topics(corpus: Corpus):
    owner: dict[str, str] = {}
    for topic in known(corpus):
        for phrasing in plain_phrasings(corpus, topic):
            key = normalise(phrasing)
            assert owner.setdefault(key, topic.name) == topic.name, phrasing


def test_every_answer_belongs_to_one_topic(corpus: Corpus):
    answers = [topic.answer for topic in corpus.topics.values()]
    assert len(set(answers)) == len(answers)


def test_every_prose_answer_ends_like_a_sentence(corpus: Corpus):
    for topic in corpus.topics.values():
        assert topic.answer.rstrip('"')[-1] in ".?!`", topic.name
        assert "  " not in topic.answer, topic.name


def test_a_haiku_has_three_lines(corpus: Corpus):
    haiku = [topic for topic in known(corpus) if topic.theme == "haiku"]
    assert len(haiku) >= 8
    for topic in haiku:
        assert len(topic.answer.split("\n")) == 3, topic.name


def test_what_it_cannot_know_it_says_and_names_the_way_to_a_bigger_model(corpus: Corpus):
    refusals = [topic for topic in corpus.topics.values() if topic.theme == OUT_OF_SCOPE]
    assert len(refusals) >= 5
    for topic in refusals:
        assert "I am ttdirect-demo" in topic.answer, topic.name
        assert "`export HF_MODEL=Qwen/Qwen3-0.6B`" in topic.answer, topic.name
        assert "restart the server" in topic.answer, topic.name


def test_no_word_list_calls_a_known_subject_unknown(corpus: Corpus):
    subjects = {normalise(subject) for topic in known(corpus) for subject in topic.about}
    for name in ("thing", "near", "person", "place"):
        assert not subjects & {normalise(word) for word in corpus.words[name]}, name


def test_the_lesson_asks_for_topics_that_exist(corpus: Corpus):
    assert set(LESSON_PROMPTS.values()) <= set(corpus.topics)


@pytest.mark.parametrize("path", [DEVELOPMENT, HELD_BACK])
def test_a_reserved_list_is_long_and_names_existing_topics(corpus: Corpus, path: Path):
    reserved = load_reserved(path)
    assert len(reserved) >= 80
    assert len({normalise(item.question) for item in reserved}) == len(reserved)
    assert sum(item.topic == OUT_OF_SCOPE for item in reserved) >= 12
    for item in reserved:
        assert item.topic == OUT_OF_SCOPE or corpus.topics[item.topic].in_scope, item.topic


def test_the_held_back_list_shares_no_question_with_the_development_list():
    development = {normalise(item.question) for item in load_reserved(DEVELOPMENT)}
    assert not development & {normalise(item.question) for item in load_reserved(HELD_BACK)}


def test_no_reserved_question_is_in_the_corpus_or_made_by_its_templates(corpus: Corpus):
    spelt_out = {
        normalise(phrasing)
        for topic in corpus.topics.values()
        for phrasing in plain_phrasings(corpus, topic)
    }
    overlap = [item.question for item in all_reserved() if normalise(item.question) in spelt_out]
    assert overlap == []


def test_no_reserved_question_turns_up_in_a_large_sample_of_what_training_sees(corpus: Corpus):
    questions = {normalise(item.question) for item in all_reserved()}
    tokenizer: Any = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
    stream = Examples(corpus, tokenizer, seed=7, reserved=frozenset(questions))
    topics = list(corpus.topics.values())
    sample = {normalise(stream.question(topic)) for topic in topics for _ in range(60)}
    assert not sample & questions


def test_the_same_seed_gives_the_same_questions(corpus: Corpus):
    topic = corpus.topics["machine-learning"]

    def ten() -> list[str]:
        phrasebook = Phrasebook(corpus, random.Random(3))
        return [phrasebook.question(topic) for _ in range(10)]

    assert ten() == ten()


def test_no_placeholder_survives(corpus: Corpus):
    phrasebook = Phrasebook(corpus, random.Random(5))
    for topic in corpus.topics.values():
        for _ in range(20):
            assert "{x}" not in phrasebook.question(topic)
            assert "{thing}" not in phrasebook.question(topic)


def test_a_topic_that_is_defined_twice_is_refused(tmp_path):
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text("## same\n- Why?\n\nBecause.\n")
    with pytest.raises(ValueError, match="'same' is defined twice"):
        load(tmp_path)


def test_a_topic_without_an_answer_is_refused(tmp_path):
    (tmp_path / "one.md").write_text("## silent\n- Why?\n")
    with pytest.raises(ValueError, match="'silent' has no answer"):
        load(tmp_path)
