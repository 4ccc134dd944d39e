"""Rule 10: the flavours have the traps and the signatures of their eras."""

import inspect

import pytest
import torch

from era_signatures import HOST_SAMPLING
from generator.era_caller import GREEDY, Caller, empty_table, first, reference_tokens, started
from generator_flavours import GeneratorC, GeneratorD, SamplingParamsC
from ttdirect.generator import SamplingParams


def test_rule_10_flavour_a_carries_the_vision_decode_as_a_trap(run):
    generator = Caller("A", run).generator
    with pytest.raises(AssertionError, match="vision"):
        generator.decode_forward(0, torch.zeros(4, 1), None, None, None, None)
    with pytest.raises(TypeError):
        generator.decode_forward(torch.zeros(4, 1), torch.zeros(4), sampling_params=None)


def test_rule_10_flavour_a_compares_page_tables_with_a_kept_reference(run, checkpoint):
    """A table changed in place equals the kept reference: the device goes on with the old one."""
    caller = Caller("A", run)
    prompt, token, table = started(caller)
    expected = reference_tokens(checkpoint, prompt, 3)
    step = ([[0], [0], [token], [0]], [-1, -1, len(prompt), -1])
    caller.decode(*step, table, sampling_params=GREEDY)
    table[:] = 0
    found = first(caller.decode(*step, table, sampling_params=GREEDY))
    assert int(found[2]) == expected[2]
    caller.generator.prev_page_table = None
    reloaded = first(caller.decode(*step, table, sampling_params=GREEDY))
    assert int(caller.generator._device.positions[2]) == len(prompt) + 1
    assert reloaded.shape == (4,)


def test_rule_10_flavour_a_rejects_a_traced_decode_without_page_table(run):
    with pytest.raises(TypeError, match="NoneType"):
        Caller("A", run).decode([[0]] * 4, [-1] * 4, None)


def test_rule_10_flavour_a_samples_greedily_only(run):
    with pytest.raises(AssertionError, match="only supporting greedy decoding"):
        Caller("A", run).decode(
            [[0]] * 4, [-1] * 4, empty_table(run), sampling_params=SamplingParams(0.7, 5, 0.9)
        )


def test_rule_10_flavours_c_and_d_show_their_eras_in_their_signatures(run):
    c = inspect.signature(GeneratorC.decode_forward).parameters
    d = inspect.signature(GeneratorD.decode_forward).parameters
    assert "reset_batch" in c
    assert any(it.kind is it.VAR_KEYWORD for it in c.values())
    assert "reset_batch" not in d
    assert all(d[name].kind is d[name].KEYWORD_ONLY for name in HOST_SAMPLING)
    assert GeneratorD.decode_input_update_contract == 1
    assert not hasattr(GeneratorC, "decode_forward_text")
    assert not hasattr(GeneratorD, "decode_forward_text")
    for kind in (GeneratorC, GeneratorD):
        public = inspect.signature(kind.prefill_forward_text).parameters
        assert {it.kind for it in public.values() if it.name != "self"} == {
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        }
        assert "empty_slots" in inspect.signature(kind._prefill_forward_text_impl).parameters
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Caller("C", run).prefill([run.prompt(3)], colour="red")


def test_rule_10_era_c_sampling_parameters_work_row_by_row(run):
    caller = Caller("C", run)
    params = SamplingParamsC([0.0, 0.0, 1.5, 0.0], [1] * 4, [1.0] * 4, seed=[None] * 4)
    _, token, table = started(caller)
    step = ([[0], [0], [token], [0]], [-1, -1, 20, -1])
    logits = first(caller.decode(*step, table.clone()))
    found = first(caller.decode(*step, table.clone(), sampling_params=params))
    assert int(found[2]) == int(logits[2].argmax())  # top_k of 1 leaves no choice
