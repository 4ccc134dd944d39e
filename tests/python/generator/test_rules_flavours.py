"""Rule 10: the flavours have the traps and the signatures of their eras."""

import inspect

import pytest
import torch

from era_signatures import HOST_SAMPLING
from generator.era_caller import GREEDY, Caller, empty_table, first, reference_tokens, started
from generator_flavours import GeneratorC, GeneratorD, SamplingParamsC
from ttdirect.generator import SamplingParams


@pytest.mark.parametrize("era", ["0", "A", "B", "late B"])
def test_rule_10_eras_of_2025_carry_the_vision_decode_as_a_trap(run, era):
    generator = Caller(era, run).generator
    with pytest.raises(AssertionError, match="vision"):
        generator.decode_forward(0, torch.zeros(4, 1), None, None, None, None)
    with pytest.raises(TypeError):
        generator.decode_forward(torch.zeros(4, 1), torch.zeros(4), sampling_params=None)


@pytest.mark.parametrize("era", ["0", "A"])
def test_rule_10_flavour_a_refuses_the_page_table_that_it_keeps_by_reference(run, era):
    """It would equal the kept one whatever was written into it, and go on with the old blocks."""
    caller = Caller(era, run)
    prompt, token, table = started(caller)
    step = ([[0], [0], [token], [0]], [-1, -1, len(prompt), -1])
    caller.decode(*step, table)
    with pytest.raises(AssertionError, match="kept by reference"):
        caller.decode(*step, table)
    caller.decode(*step, table.clone())


@pytest.mark.parametrize("era", ["0", "A"])
def test_rule_10_flavour_a_goes_on_by_itself_while_the_table_stays_equal(run, era, checkpoint):
    """Whatever the host says; clearing `prev_page_table` makes it read again."""
    caller = Caller(era, run)
    prompt, token, table = started(caller)
    expected = reference_tokens(checkpoint, prompt, 3)
    step = ([[0], [0], [token], [0]], [-1, -1, len(prompt), -1])
    caller.decode(*step, table.clone(), sampling_params=GREEDY)
    found = first(caller.decode(*step, table.clone(), sampling_params=GREEDY))
    assert int(found[2]) == expected[2]
    caller.generator.prev_page_table = None
    again = first(caller.decode(*step, table.clone(), sampling_params=GREEDY))
    assert int(again[2]) == expected[1]


@pytest.mark.parametrize("era", ["0", "A"])
def test_rule_10_flavour_a_has_one_trace_for_logits_or_tokens(run, era):
    caller = Caller(era, run)
    idle = ([[0]] * 4, [-1] * 4)
    caller.decode(*idle, empty_table(run))
    with pytest.raises(AssertionError, match="either logits or tokens"):
        caller.decode(*idle, empty_table(run), sampling_params=GREEDY)


@pytest.mark.parametrize("era", ["0", "A", "B", "late B"])
def test_rule_10_eras_of_2025_reject_a_traced_decode_without_page_table(run, era):
    caller = Caller(era, run)
    with pytest.raises(TypeError, match="NoneType"):
        caller.decode([[0]] * 4, [-1] * 4, None)


@pytest.mark.parametrize("era", ["0", "A"])
def test_rule_10_flavour_a_samples_greedily_only(run, era):
    with pytest.raises(AssertionError, match="only supporting greedy decoding"):
        Caller(era, run).decode(
            [[0]] * 4, [-1] * 4, empty_table(run), sampling_params=SamplingParams(0.7, 5, 0.9)
        )


@pytest.mark.parametrize("era", ["C", "D"])
def test_rule_10_the_first_traced_prompt_prepares_the_decode_from_its_own_page_table(run, era):
    """Told not to warm up, and with no trace yet, it takes the prompt's row for the batch."""
    caller = Caller(era, run)
    with pytest.raises(AssertionError, match="Batch size 1 must be equal to max_batch_size 4"):
        caller.prefill([run.prompt(5)], warmup_prefill=False)
    caller.prefill([run.prompt(5)], warmup_prefill=False, enable_trace=False)


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
