"""How long prompts may be where the device pads them."""

import pytest

from engine_on_fakes import fake_initialize_model
from fake_generator import FakeGenerator
from ttdirect.engine import PromptTooLongError
from ttdirect.engine.limits import Limits, limits_of
from ttdirect.engine.pieces import Pieces
from ttdirect.generator import get_padded_prefill_len


def a_model(**changes):
    model = fake_initialize_model(generator=FakeGenerator())(lambda *_: None)
    values = {name: getattr(model, name) for name in model.__slots__}
    return type(model)(**{**values, "continues_prompts": False, **changes})


def limits(context, max_seq_len, pieces=None, **changes):
    changes = {"padded_length": get_padded_prefill_len, **changes}
    return limits_of(a_model(**changes), context, max_seq_len, pieces)


def test_a_power_of_two_from_1024_on_takes_every_prompt_that_leaves_room():
    assert limits(2048, 2048) == Limits(2048, 2047)
    assert limits(1024, 1024) == Limits(1024, 1023)


@pytest.mark.parametrize("max_seq_len", [256, 512])
def test_below_that_prompts_of_more_than_128_tokens_are_padded_beyond_it(max_seq_len):
    assert limits(max_seq_len, max_seq_len) == Limits(max_seq_len, 128)


def test_the_smallest_context_leaves_room_for_one_token():
    assert limits(128, 128) == Limits(128, 127)


def test_pieces_are_padded_one_by_one():
    assert limits(512, 512, Pieces(128, 128)) == Limits(512, 511)
    assert limits(2048, 2048, Pieces(1024, 256)) == Limits(2048, 2047)


def test_the_cache_can_be_the_narrower_limit_but_padding_goes_to_block_0():
    assert limits(1000, 2048) == Limits(1000, 999)


def test_a_device_that_takes_prompts_as_they_are_pads_none():
    assert limits(512, 512, padded_length=None) == Limits(512, 511)
    assert limits_of(None, 512, 512, None) == Limits(512, 511)


def test_the_refusal_says_whether_padding_is_the_reason():
    padded = limits(512, 512)
    assert padded.room_behind(128) == 384
    with pytest.raises(PromptTooLongError, match=r"129 .* at most 128 .*, because the device pads"):
        padded.room_behind(129)
    with pytest.raises(PromptTooLongError, match=r"at most 128 fit into this server's context\. "):
        padded.room_behind(512)
