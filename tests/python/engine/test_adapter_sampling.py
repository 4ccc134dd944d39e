"""What each era is sent when the device samples: when it has to read the host's inputs again."""

import logging

import pytest
import torch

from engine.era_stubs import recorder
from era_signatures import HOST_SAMPLING, Era0, EraA, EraB, EraC, EraD, EraLateB
from ttdirect.engine import adapt
from ttdirect.engine.card_settings import CardSettings, Trace
from ttdirect.engine.device_sampling import DeviceSampling, RowSampling

ON_DEVICE = CardSettings(samples_on_device=True)
GREEDY = DeviceSampling((RowSampling(), RowSampling()))
TABLE = torch.tensor([[5, 6], [0, 0]], dtype=torch.int32)
CHOSEN = 7
"""What the recorder's device chooses in every row."""
AFRESH = {**HOST_SAMPLING, "reload_sampling_params": True, "reset_sampling_state": True}
BY_ITSELF = dict.fromkeys(HOST_SAMPLING, False)


class Driver:
    """Drives a recorder as the engine would; the calls that it got are in `calls`."""

    def __init__(self, era, settings=ON_DEVICE):
        self.generator = recorder(era)
        self.adapted = adapt(self.generator, settings)
        self.calls = self.generator.calls

    def prefill(self, slot=0):
        tokens = torch.zeros((1, 3), dtype=torch.int64)
        self.adapted.prefill_forward_text(
            tokens, page_table=TABLE[:1], kv_cache=[[]], prompt_lens=[3], empty_slots=[slot]
        )
        self.calls.pop()

    def decode(self, tokens, positions, *, table=TABLE, sampling=GREEDY):
        self.generator.prev_page_table = "the last one"
        self.adapted.decode_forward_text(
            torch.tensor(tokens)[:, None],
            torch.tensor(positions, dtype=torch.int32),
            page_table=table,
            kv_cache=[[]],
            sampling=sampling,
        )
        return self.calls[-1]

    def commands(self, *arguments, **changes):
        call = self.decode(*arguments, **changes)
        return {name: getattr(call, name) for name in HOST_SAMPLING}


class TestEraD:
    def test_host_sampling_reloads_everything_at_every_step(self):
        driver = Driver(EraD)
        for position in (3, 4, 5):
            assert driver.commands([1, 0], [position, -1], sampling=None) == HOST_SAMPLING

    def test_first_step_then_steady_ones(self):
        driver = Driver(EraD)
        assert driver.commands([1, 0], [3, -1]) == AFRESH
        assert driver.commands([CHOSEN, 0], [4, -1]) == BY_ITSELF
        assert driver.commands([CHOSEN, 0], [5, -1]) == BY_ITSELF

    def test_blocks_that_were_added_reload_the_page_table_alone(self):
        driver = Driver(EraD)
        driver.decode([1, 0], [3, -1])
        longer = torch.tensor([[5, 9], [0, 0]], dtype=torch.int32)
        grown = driver.commands([CHOSEN, 0], [4, -1], table=longer)
        assert grown == {**BY_ITSELF, "reload_page_table": True}
        assert driver.commands([CHOSEN, 0], [5, -1], table=longer) == BY_ITSELF

    def test_a_prefill_between_reloads_everything(self):
        driver = Driver(EraD)
        driver.decode([1, 0], [3, -1])
        driver.prefill(slot=1)
        assert driver.commands([CHOSEN, 0], [4, -1]) == AFRESH

    @pytest.mark.parametrize(
        ("tokens", "positions"),
        [
            pytest.param([CHOSEN, 5], [4, 8], id="somebody came"),
            pytest.param([0, 0], [-1, -1], id="somebody went"),
            pytest.param([CHOSEN, 0], [9, -1], id="somebody else's position"),
            pytest.param([8, 0], [4, -1], id="not the token that the device chose"),
        ],
    )
    def test_another_batch_reloads_everything(self, tokens, positions):
        driver = Driver(EraD)
        driver.decode([1, 0], [3, -1])
        assert driver.commands(tokens, positions) == AFRESH

    def test_other_parameters_reload_everything(self):
        driver = Driver(EraD)
        driver.decode([1, 0], [3, -1])
        warmer = DeviceSampling((RowSampling(0.7, 5), RowSampling()))
        assert driver.commands([CHOSEN, 0], [4, -1], sampling=warmer) == AFRESH

    def test_the_way_back_from_the_host_reloads_everything(self):
        driver = Driver(EraD)
        driver.decode([1, 0], [3, -1])
        assert driver.commands([CHOSEN, 0], [4, -1], sampling=None) == HOST_SAMPLING
        assert driver.commands([2, 0], [5, -1]) == AFRESH

    def test_untraced_steps_reload_inputs_but_not_the_samplers_state(self):
        """A reset at each step would draw the same number again and again."""
        driver = Driver(EraD, CardSettings(Trace.OFF, samples_on_device=True))
        assert driver.commands([1, 0], [3, -1]) == AFRESH
        assert driver.commands([CHOSEN, 0], [4, -1]) == HOST_SAMPLING
        assert not driver.calls[-1].enable_trace

    def test_after_a_step_that_raised_everything_is_reloaded(self):
        driver = Driver(EraD)
        driver.decode([1, 0], [3, -1])
        with pytest.raises(TypeError):
            driver.adapted.decode_forward_text(None, None, page_table=TABLE, kv_cache=[[]])
        assert driver.commands([CHOSEN, 0], [4, -1]) == AFRESH


@pytest.mark.parametrize("era", [EraC, EraLateB])
def test_reset_batch_is_true_on_changed_steps_only(era):
    driver = Driver(era)
    assert driver.decode([1, 0], [3, -1]).reset_batch is True
    assert driver.decode([CHOSEN, 0], [4, -1]).reset_batch is False
    driver.prefill(slot=1)
    assert driver.decode([CHOSEN, 2], [5, 3]).reset_batch is True
    assert driver.decode([CHOSEN, 0], [6, -1], sampling=None).reset_batch is False


@pytest.mark.parametrize("era", [EraB, EraLateB])
def test_era_b_forgets_its_page_table_on_changed_steps_only(era):
    """Late B's `reset_batch` reaches the sampler alone: an equal table would keep old tokens."""
    driver = Driver(era)
    assert driver.decode([1, 0], [3, -1]).prev_page_table is None
    assert driver.decode([CHOSEN, 0], [4, -1]).prev_page_table == "the last one"
    driver.prefill(slot=0)
    assert driver.decode([1, 0], [3, -1]).prev_page_table is None


@pytest.mark.parametrize("era", [EraB, EraLateB, EraC, EraD])
def test_parameters_are_lists_of_the_whole_batch(era):
    drawn = DeviceSampling((RowSampling(0.5, 8, 0.9, seed=11), RowSampling()))
    params = Driver(era).decode([1, 0], [3, -1], sampling=drawn).sampling_params
    assert (params.temperature, params.top_k, params.top_p) == ([0.5, 0.0], [8, 1], [0.9, 1.0])
    assert params.seed == [11, 0]
    assert params.repetition_penalty == 1.0


@pytest.mark.parametrize("era", [Era0, EraA])
def test_eras_with_one_trace_leave_the_choice_to_the_host(era, caplog):
    with caplog.at_level(logging.WARNING):
        assert adapt(recorder(era), ON_DEVICE).samples_on_device is False
    assert "the host chooses" in caplog.text


@pytest.mark.parametrize("era", [EraB, EraLateB, EraC, EraD])
def test_models_without_a_sampler_leave_the_choice_to_the_host(era):
    assert adapt(recorder(era), ON_DEVICE).samples_on_device is True
    assert adapt(recorder(era, can_sample=False), ON_DEVICE).samples_on_device is False
    assert adapt(recorder(era), CardSettings()).samples_on_device is False


def test_a_decode_of_2026_that_cannot_be_told_to_reload_is_not_asked_to_sample():
    class WithoutReset(EraC):
        def decode_forward(self, tokens, start_pos, sampling_params=None, **kwargs):
            raise AssertionError

    assert adapt(recorder(WithoutReset), ON_DEVICE).samples_on_device is False
