"""The environment variables of a card's owner."""

import pytest

from ttdirect.engine.card_settings import (
    PREFIX,
    SAMPLE,
    TRACE,
    CardSettingError,
    CardSettings,
    Trace,
    card_settings,
)


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in (TRACE, SAMPLE, PREFIX):
        monkeypatch.delenv(name, raising=False)


def test_as_it_comes_everything_is_traced_and_the_host_chooses():
    assert card_settings() == CardSettings(Trace.ALL, samples_on_device=False)


@pytest.mark.parametrize("word", ["all", "decode", "off", " Decode "])
def test_what_is_traced(word, monkeypatch):
    monkeypatch.setenv(TRACE, word)
    assert card_settings().trace is Trace(word.strip().lower())


@pytest.mark.parametrize(("word", "on"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_who_chooses(word, on, monkeypatch):
    monkeypatch.setenv(SAMPLE, word)
    assert card_settings().samples_on_device is on


@pytest.mark.parametrize(("word", "on"), [("1", True), ("no", False), ("", None)])
def test_whether_prompts_go_on_behind_what_is_cached(word, on, monkeypatch):
    monkeypatch.setenv(PREFIX, word)
    assert card_settings().continues_prompts is on


@pytest.mark.parametrize(("name", "word"), [(TRACE, "none"), (SAMPLE, "maybe"), (PREFIX, "2")])
def test_what_cannot_be_meant_is_said(name, word, monkeypatch):
    monkeypatch.setenv(name, word)
    with pytest.raises(CardSettingError, match=f"{name} is neither") as caught:
        card_settings()
    assert caught.value.fix.startswith(f"set {name}=")
