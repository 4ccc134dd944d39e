"""An era is told by what a Generator's methods name, and by nothing else."""

from types import SimpleNamespace

import pytest

import era_signatures
from engine.era_stubs import recorder
from flavours_2025 import GeneratorA
from flavours_2026 import GeneratorC, SamplingParams
from ttdirect.engine.eras import Era, UnknownGeneratorError, beside, interface_of, known, names_of
from ttdirect.generator import Generator
from ttdirect.generator import SamplingParams as GreedyParams

ERAS = {
    era_signatures.Era0: Era.ZERO,
    era_signatures.EraA: Era.A,
    era_signatures.EraB: Era.B,
    era_signatures.EraLateB: Era.B,
    era_signatures.EraC: Era.C,
    era_signatures.EraD: Era.D,
}


@pytest.mark.parametrize("signatures", ERAS)
def test_each_era_is_recognised(signatures):
    assert interface_of(recorder(signatures)).era is ERAS[signatures]


def test_the_cpu_is_of_era_b():
    assert interface_of(Generator([], [], None)).era is Era.B


@pytest.mark.parametrize(
    "signatures", [it for it, era in ERAS.items() if era in {Era.ZERO, Era.A, Era.B}]
)
def test_the_vision_decode_is_not_taken_for_the_text_one(signatures):
    generator = recorder(signatures)
    assert "sampling_params" not in names_of(generator.decode_forward)
    assert interface_of(generator).decode == generator.decode_forward_text


@pytest.mark.parametrize("signatures", [era_signatures.EraC, era_signatures.EraD])
def test_the_names_of_prefill_are_those_of_the_inner_method(signatures):
    generator = recorder(signatures)
    assert names_of(generator.prefill_forward_text) == set()
    interface = interface_of(generator)
    assert {"start_pos", "warmup_prefill"} <= interface.prefill_names
    assert interface.prefill == generator.prefill_forward_text


def test_early_b_is_told_by_its_two_halves_of_reading():
    """PR 31046 came before prefill took `enable_trace`."""

    class Earliest(era_signatures.EraA):
        def process_decode_output_host(self, tt_out, is_tokens=False):
            raise AssertionError

    assert interface_of(Earliest()).era is Era.B


def test_what_kwargs_would_take_is_not_named_and_not_sent():
    names = names_of(recorder(era_signatures.EraC).decode_forward)
    assert "kwargs" not in names
    sent = known({"reset_batch": True, "reload_inputs": True}, names)
    assert sent == {"reset_batch": True}


def test_what_belongs_to_a_generator_is_found_in_its_own_module():
    assert beside(GeneratorA([], [], None), "SamplingParams") is GreedyParams
    assert beside(GeneratorC([], [], None), "SamplingParams") is SamplingParams
    assert beside(GeneratorC([], [], None), "get_padded_prefill_len")(129) == 1024
    assert beside(SimpleNamespace(), "SamplingParams") is None


def test_nothing_else_is_a_generator():
    with pytest.raises(UnknownGeneratorError, match="SimpleNamespace has no prefill_forward_text"):
        interface_of(SimpleNamespace())
