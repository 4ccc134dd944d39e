"""Which of several API keys a command sends."""

import pytest

from ttdirect.cli.server_options import read_key


@pytest.mark.parametrize(
    ("keys", "first"),
    [("a", "a"), ("a,b", "a"), (" , a\nb\n", "a"), (",\n", None), ("", None)],
)
def test_the_first_of_several_keys_is_sent(monkeypatch, keys, first):
    monkeypatch.delenv("TTDIRECT_API_KEY_FILE", raising=False)
    monkeypatch.setenv("TTDIRECT_API_KEY", keys)
    assert read_key(None) == first


@pytest.mark.parametrize(
    ("content", "first"),
    [("# keys\n\nann: secret\nother\n", "secret"), ("plain\n", "plain"), ("# none\n", None)],
)
def test_the_first_key_of_a_file_is_sent(monkeypatch, tmp_path, content, first):
    (tmp_path / "keys").write_text(content)
    monkeypatch.delenv("TTDIRECT_API_KEY", raising=False)
    monkeypatch.setenv("TTDIRECT_API_KEY_FILE", str(tmp_path / "keys"))
    assert read_key(None) == first


def test_a_key_file_that_is_gone_is_no_key(monkeypatch, tmp_path):
    monkeypatch.delenv("TTDIRECT_API_KEY", raising=False)
    monkeypatch.setenv("TTDIRECT_API_KEY_FILE", str(tmp_path / "gone"))
    assert read_key(None) is None
