"""Which device a script is written for."""

import pytest

from ttdirect.script import device
from ttdirect.script.device import detect_device


@pytest.fixture
def card(tmp_path, monkeypatch):
    """A driver's folder with one device file."""
    monkeypatch.setattr(device, "DEVICE_FOLDER", tmp_path)
    node = tmp_path / "0"
    node.touch()
    return node


def test_without_a_driver_the_cpu_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(device, "DEVICE_FOLDER", tmp_path / "none")
    detected = detect_device()
    assert detected.device == "cpu"
    assert detected.reason == f"No {tmp_path / 'none'}, so the CPU answers."


def test_a_driver_without_a_card_is_no_device(card):
    card.unlink()
    assert detect_device().device == "cpu"


def test_a_card_without_ttnn_is_named_in_the_reason(card, monkeypatch):
    monkeypatch.setattr(device, "has_ttnn", lambda: False)
    detected = detect_device()
    assert detected.device == "cpu"
    assert detected.reason == f"{card} is here but ttnn is not in this Python, so the CPU answers."


def test_a_card_and_ttnn_make_a_tenstorrent_device(card, tmp_path, monkeypatch):
    """Finding ttnn does not import it: this one would fail."""
    (tmp_path / "ttnn.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert detect_device().device == "tenstorrent"
