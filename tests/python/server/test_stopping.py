"""How long a worker that is told to stop waits for its engine."""

import logging

import pytest

from ttdirect.device import open_card
from ttdirect.engine import State
from ttdirect.server import stopping


class LoadingEngine:
    """An engine that is loading; `opens_a_card` while it is waited for the first time."""

    state = State.LOADING
    was_ready = False

    def __init__(self, *, opens_a_card):
        self.waits = []
        self._opens_a_card = opens_a_card

    def drain(self, seconds):
        self.drained = seconds

    def join(self, seconds):
        self.waits.append(seconds)
        if len(self.waits) == 1:
            open_card.note(is_open=bool(open_card) or self._opens_a_card)
            return False
        return True


@pytest.fixture
def stop(caplog):
    """A function that stops an engine as SIGTERM does, and returns its waits and the log."""
    caplog.set_level(logging.INFO, "ttdirect")

    def stop(engine):
        stopping._drain(engine, drain_seconds=25.0, card_loading_seconds=600.0)
        return engine.waits, caplog.text

    yield stop
    open_card.note(is_open=False)


def test_a_model_that_is_loaded_without_a_card_is_not_waited_for(stop):
    waits, log = stop(LoadingEngine(opens_a_card=False))
    assert waits == [3.0 + 2.0]
    assert "still open" not in log


def test_a_card_that_is_opened_meanwhile_is_closed_before_the_process_ends(stop):
    """Finding the chips takes seconds, and nobody can say no any more when they are opened."""
    waits, log = stop(LoadingEngine(opens_a_card=True))
    assert waits == [3.0 + 2.0, 600.0 + 10.0]
    assert "The device is closed as soon as this part of loading is done" in log
    assert "still open" not in log


def test_a_card_that_is_open_is_waited_for_at_once(stop):
    open_card.note(is_open=True)
    waits, log = stop(LoadingEngine(opens_a_card=True))
    assert waits == [600.0 + 10.0]
    assert "did not stop in time" in log  # this double says no the first time
    assert "only the model's own thread may close it" in log
