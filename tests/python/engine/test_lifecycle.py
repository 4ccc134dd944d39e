"""What an engine tells about its loading."""

import time

import pytest

from ttdirect.engine import PhaseReporter, State


@pytest.fixture
def heard():
    return []


@pytest.fixture
def phase(heard):
    return PhaseReporter(lambda *news: heard.append(news))


class TestPhaseReporter:
    def test_it_starts_before_any_phase(self, phase):
        assert (phase.current.name, phase.current.progress) == ("starting", 0.0)

    def test_a_new_phase_is_told(self, phase, heard):
        phase("loading the weights", 0.4)
        phase("building the model")
        assert heard == [("loading the weights", 0.4), ("building the model", 0.4)]

    def test_progress_within_a_phase_is_no_news_but_visible(self, phase, heard):
        phase("loading the weights", 0.1)
        began = phase.current.started_at
        phase("loading the weights", 0.2)
        assert len(heard) == 1
        assert (phase.current.progress, phase.current.started_at) == (0.2, began)

    def test_each_phase_has_its_own_beginning(self, phase):
        before = time.monotonic()
        phase("loading the weights")
        assert before <= phase.current.started_at <= time.monotonic()

    @pytest.mark.parametrize(("told", "known"), [(-1.0, 0.0), (7, 1.0), (0.5, 0.5)])
    def test_progress_stays_between_0_and_1(self, phase, told, known):
        phase("loading the weights", told)
        assert phase.current.progress == known

    def test_what_the_listener_raises_reaches_who_loads(self):
        def stop(*_):
            raise InterruptedError

        with pytest.raises(InterruptedError):
            PhaseReporter(stop)("loading the weights")


def test_states_read_as_health_shows_them():
    assert [s.value for s in State] == ["loading", "ready", "draining", "stopped", "failed"]
