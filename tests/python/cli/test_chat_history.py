"""The history of what was typed, from one conversation to the next."""

import builtins

import pytest

readline = pytest.importorskip("readline")

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def typed_into_history(typed, monkeypatch):
    """As `typed`, and the lines are where readline puts them."""

    def type_in(*lines):
        typed(*lines)
        answer = builtins.input

        def remember(prompt=""):
            line = answer(prompt)
            readline.add_history(line)
            return line

        monkeypatch.setattr(builtins, "input", remember)

    yield type_in
    readline.clear_history()


def test_prompts_are_there_again_in_the_next_session(other, typed_into_history, plain_environment):
    typed_into_history("one")
    other()
    file = plain_environment / ".local/state/ttdirect/chat_history"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().splitlines()[-1] == "one"
    file.chmod(0o644)
    typed_into_history("two")
    other()
    assert file.read_text().splitlines()[-2:] == ["one", "two"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_costs_only_the_history(
    other, typed_into_history, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    typed_into_history("one")
    assert other()[:2] == (0, "Hello\n")
