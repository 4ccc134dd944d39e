"""Neighbours, slots and cached prefixes change no bit of a row's logits."""

from __future__ import annotations

import random

import pytest
import torch

from checkpoints import build_model, save_model
from ttdirect import generator as ttnn
from ttdirect.generator import PagedAttentionConfig
from ttdirect.generator import precision as precision_module
from ttdirect.generator.linear import Linear, row_quantum
from ttdirect.generator.precision import EMULATED_BF16, EXACT, NATIVE_BF16

POOL = PagedAttentionConfig(block_size=32, max_num_blocks=400)
LENGTHS = [1, 2, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 190, 257, 300, 64]


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def threads(request, one_thread):
    torch.set_num_threads(request.param)


def decode_alone(run, slot):
    """Decode one row of a running batch by itself, in another slot, and return its logits."""
    tokens, positions, table = run.inputs()
    other = (slot + 5) % run.args.max_batch_size
    alone = [torch.zeros_like(tokens), torch.full_like(positions, -1), torch.zeros_like(table)]
    for whole, single in zip((tokens, positions, table), alone, strict=True):
        single[other] = whole[slot]
    logits = run.generator.decode_forward_text(
        alone[0], alone[1], page_table=alone[2], kv_cache=[run.kv_cache]
    )
    return logits[other, 0].clone()


@pytest.mark.parametrize(
    ("name", "dtype", "count"),
    [
        ("llama", ttnn.float32, 2),
        ("llama", ttnn.bfloat8_b, 1),
        ("qwen2-sliding-layers", ttnn.float32, 1),
        ("qwen2-sliding-layers", ttnn.bfloat8_b, 1),
        ("llama-one-key-head", ttnn.float32, 1),
    ],
)
def test_logits_are_the_same_bits_alone_and_in_any_company(name, dtype, count, checkpoint, server):
    torch.set_num_threads(count)
    run = server(
        checkpoint(name).folder, max_batch_size=16, paged_attention_config=POOL, dtype=dtype
    )
    chance = random.Random(7)
    run.admit({slot: run.prompt(length) for slot, length in enumerate(LENGTHS)})
    for _ in range(2):
        alone = {slot: decode_alone(run, slot) for slot in run.rows}
        everyone = dict(run.rows)
        for size in (2, 3, 5, 7, 11, 16):
            subset = chance.sample(sorted(everyone), size)
            run.rows = {slot: everyone[slot] for slot in subset}
            tokens, positions, table = run.inputs()
            logits = run.generator.decode_forward_text(
                tokens, positions, page_table=table, kv_cache=[run.kv_cache]
            )
            for slot in subset:
                assert torch.equal(logits[slot, 0], alone[slot])
        run.rows = everyone
        run.step()


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", ["llama", "phi3"])
def test_wide_rows_stay_invariant_where_threads_share_one_row(name, checkpoint, server, tmp_path):
    """An odd MLP size of many rows makes threads split inside a row: the classic way to differ."""
    model = build_model(name, intermediate_size=2731, num_hidden_layers=1)
    run = server(save_model(model, tmp_path), max_batch_size=32, paged_attention_config=POOL)
    run.admit({slot: run.prompt(5 + slot) for slot in range(0, 32, 2)})
    run.admit({slot: run.prompt(40 + slot) for slot in range(1, 32, 2)})
    alone = {slot: decode_alone(run, slot) for slot in range(32)}
    together = run.step()
    assert all(torch.equal(together[slot, 0], alone[slot]) for slot in range(32))


def test_native_bfloat16_is_close_and_invariant_too(checkpoint, server, monkeypatch):
    """The path of CPUs with bfloat16 instructions; slow but the same mathematics on others."""
    monkeypatch.setattr(precision_module, "cpu_multiplies_bf16", lambda: True)
    reference = checkpoint("llama")
    run = server(reference.folder, dtype=ttnn.bfloat16)
    assert run.args.dtype == "bfloat16"
    assert run.kv_cache[0][0].dtype == torch.bfloat16
    run.admit({0: run.prompt(40), 1: run.prompt(7), 3: run.prompt(130)})
    alone = {slot: decode_alone(run, slot) for slot in run.rows}
    together = run.step()
    for slot, row in run.rows.items():
        assert torch.equal(together[slot, 0], alone[slot])
        expected = reference.logits(row.tokens[:-1])[-1]
        assert torch.cosine_similarity(together[slot, 0], expected, 0) > 0.99


def test_a_prompt_gives_the_same_bits_after_a_cached_prefix(checkpoint, server):
    """Reading the first blocks of another request changes no bit of the logits or of the cache."""
    run = server(checkpoint("qwen2-sliding-layers").folder)
    prompt = run.prompt(300)
    run.admit({0: prompt})
    first = run.rows[0]
    for shared in (32, 64, 96, 128, 288):
        blocks = first.blocks[: shared // 32] + [run.free.pop() for _ in range(10 - shared // 32)]
        logits = run.generator.prefill_forward_text(
            torch.tensor([prompt]),
            page_table=torch.tensor([run.table(blocks)], dtype=torch.int32),
            kv_cache=[run.kv_cache],
            prompt_lens=[300],
            empty_slots=[1],
            start_pos=[shared],
        )
        assert torch.equal(logits[0, 0], first.logits[0])
        for keys, values in run.kv_cache:
            for pool in (keys, values):
                assert torch.equal(pool[blocks[9], :, :12], pool[first.blocks[9], :, :12])


def test_a_prompt_gives_the_same_bits_in_any_company_and_slot(checkpoint, server):
    run = server(checkpoint("llama").folder)
    prompts = {2: run.prompt(90), 1: run.prompt(7), 3: run.prompt(200)}
    run.admit(prompts)
    for slot, prompt in prompts.items():
        before = run.finish(slot).logits[0]
        run.admit({0: prompt})
        assert torch.equal(run.finish(0).logits[0], before)


def test_row_quantum_finds_the_smallest_multiple_that_keeps_the_bits():
    """Against a layer whose sums depend on whether the rows are a multiple of four."""

    class Fickle(Linear):
        def __call__(self, rows):
            return super().__call__(rows) + (0.0 if rows.shape[0] % 4 == 0 else 1.0)

    layer = Fickle(torch.randn(8, 16), None, EXACT)
    assert row_quantum([layer], 32) == 4
    assert row_quantum([layer], 4) == 4
    assert row_quantum([layer], 2) == 1  # one row and two rows are alike


@pytest.mark.parametrize("precision", [EXACT, EMULATED_BF16, NATIVE_BF16])
def test_linear_multiplies_in_every_precision(precision):
    """Also bfloat16 itself, which other CPUs than this one may have instructions for."""
    weight, bias, rows = torch.randn(24, 64), torch.randn(24), torch.randn(3, 64)
    layer = Linear(precision.round(weight), bias.to(precision.compute), precision)
    expected = rows.double() @ weight.double().T + bias.double()
    tolerance = 1e-4 if precision is EXACT else 0.5
    assert layer(rows).dtype == torch.float32
    assert (layer(rows) - expected).abs().max() < tolerance
