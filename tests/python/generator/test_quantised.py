"""The decoder on integer weights, against `transformers` with weights of the same values."""

import copy

import pytest
import torch

from generator.conftest import VARIANTS
from ttdirect import generator as ttnn
from ttdirect.generator.decoders import HEAD_BITS
from ttdirect.generator.errors import UnknownPrecisionError
from ttdirect.generator.native import library
from ttdirect.generator.precision import INT8, choose_precision
from ttdirect.generator.quantise import quantise
from ttdirect.generator.quantised import QuantisedTransformer

needs_library = pytest.mark.skipif(library.load() is None, reason="no library for this processor")

TYPES = {8: ttnn.bfloat8_b, 4: ttnn.bfloat4_b}


def with_integer_weights(model, bits):
    """A copy of a model of `transformers` whose weights are what the integers stand for."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear):
                rows, columns = module.weight.shape
                of = HEAD_BITS if name == "lm_head" else bits
                module.weight.copy_(quantise([module.weight], of).values()[:rows, :columns])
    return model


@needs_library
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("bits", [8, 4])
def test_every_family_computes_what_transformers_does(name, bits, checkpoint, server):
    run = server(checkpoint(name).folder, dtype=TYPES[bits])
    assert isinstance(run.model, QuantisedTransformer)
    run.admit({0: run.prompt(130), 2: run.prompt(31)})
    for _ in range(40):
        run.step()
    model = with_integer_weights(checkpoint(name).model, bits)
    for row, prompt in ((run.rows[0], 130), (run.rows[2], 31)):
        with torch.no_grad():
            expected = model(torch.tensor([row.tokens[:-1]])).logits[0, prompt - 1 :]
        error = (torch.stack(row.logits) - expected).square().mean().sqrt()
        # What is left: keys and values in bfloat16, activations in 16 bits.
        assert error < 0.02 * expected.square().mean().sqrt()


@needs_library
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", ["llama", "phi3", "qwen3-biases-sliding"])
def test_a_prompt_has_the_same_bits_at_once_in_pieces_and_token_by_token(name, count, checkpoint):
    torch.set_num_threads(count)
    run = load_pair(checkpoint(name).folder)
    tokens = torch.randint(4, 300, (200,), generator=torch.Generator().manual_seed(1))
    table = torch.arange(1, 9)
    at_once = run.prefill(tokens, 0, table)
    for piece in (1, 32, 64, 150):
        for end in range(piece, 200, piece):
            run.prefill(tokens[:end], end - piece, table)
        assert torch.equal(run.prefill(tokens, 199 // piece * piece, table), at_once)
    for position in range(200):
        last = run.model.decode([int(tokens[position])], [position], table[None], run.kv_cache)
    assert torch.equal(last[0], at_once)


@needs_library
@pytest.mark.parametrize("name", ["llama", "mistral-sliding"])
def test_rows_of_one_table_see_what_those_before_them_write(name, checkpoint):
    run = load_pair(checkpoint(name).folder)
    tokens = torch.randint(4, 300, (60,), generator=torch.Generator().manual_seed(2)).tolist()
    table = torch.tensor([[3, 1, 7, 4]])
    run.prefill(torch.tensor(tokens[:50]), 0, table[0])
    alone = [
        run.model.decode([tokens[at]], [at], table, run.kv_cache)[0].clone() for at in range(50, 60)
    ]
    run.prefill(torch.tensor(tokens[:50]), 0, table[0])
    together = run.model.decode(
        tokens[50:], list(range(50, 60)), table.expand(10, -1), run.kv_cache
    )
    assert torch.equal(together, torch.stack(alone))


def load_pair(folder):
    """A model with its cache, to be called without a Generator."""
    from generator.conftest import load  # noqa: PLC0415 - a plain function beside the fixtures

    args, model, kv_cache, _ = load(folder, dtype=ttnn.bfloat8_b)

    class Pair:
        def __init__(self):
            self.args, self.model, self.kv_cache = args, model, kv_cache

        def prefill(self, tokens, start, table):
            return model.prefill(tokens, start, table, kv_cache, scribbles=False).clone()

    return Pair()


class TestWithoutTheLibrary:
    @pytest.fixture(autouse=True)
    def none(self, monkeypatch):
        monkeypatch.setenv("TTDIRECT_NATIVE", "off")
        library.load.cache_clear()
        yield
        library.load.cache_clear()

    def test_models_run_in_bfloat16_and_say_so(self, checkpoint, server):
        run = server(checkpoint("llama").folder, dtype=ttnn.bfloat8_b)
        assert not isinstance(run.model, QuantisedTransformer)
        assert run.args.dtype.startswith("bfloat16")
        assert run.args.dtype.endswith("because int8 needs another CPU")
        plain = server(checkpoint("llama").folder, dtype=ttnn.bfloat16)
        for it in (run, plain):
            it.admit({0: list(range(20, 60))})
            it.step()
        assert torch.equal(torch.stack(run.rows[0].logits), torch.stack(plain.rows[0].logits))

    def test_asking_for_it_is_an_error(self):
        with pytest.raises(RuntimeError, match="no library for this processor"):
            quantise([torch.zeros(8, 32)], 8)


class TestSetting:
    @pytest.mark.parametrize(
        ("setting", "name"),
        [("fp32", "float32"), ("bf16", "bfloat16"), ("int8", "int8"), ("INT4 ", "int4")],
    )
    def test_the_environment_goes_before_the_scripts_type(self, setting, name, monkeypatch):
        monkeypatch.setenv("TTDIRECT_PRECISION", setting)
        assert choose_precision(ttnn.bfloat8_b).name.startswith(name)

    @pytest.mark.parametrize("setting", ["auto", ""])
    def test_auto_leaves_it_to_the_script(self, setting, monkeypatch):
        monkeypatch.setenv("TTDIRECT_PRECISION", setting)
        assert choose_precision(ttnn.bfloat8_b) is INT8

    def test_another_one_is_refused_with_the_list(self, monkeypatch):
        monkeypatch.setenv("TTDIRECT_PRECISION", "int2")
        with pytest.raises(UnknownPrecisionError) as caught:
            choose_precision(ttnn.bfloat8_b)
        assert caught.value.what == "TTDIRECT_PRECISION is 'int2', which is no precision."
        assert caught.value.fix == "Set it to one of: auto, fp32, bf16, int8, int4."
