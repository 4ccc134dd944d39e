"""Every family gives the logits and the greedy tokens of `transformers`."""

from __future__ import annotations

import copy

import pytest
import torch

from ttdirect import generator as ttnn
from ttdirect.generator import PagedAttentionConfig
from ttdirect.generator.transformer import CHUNK

FAMILIES = [
    "llama",
    "llama-tied",
    "llama-biases",
    "llama-3-rope",
    "llama-yarn",
    "llama-linear",
    "llama-dynamic",
    "llama-every-head-its-own-key",
    "llama-one-key-head",
    "mistral-sliding",
    "mistral-wide-heads",
    "qwen2",
    "qwen2-sliding-layers",
    "qwen3",
    "qwen3-biases-sliding",
    "phi3",
    "phi3-partial-rotary",
    "phi3-longrope",
    "smollm3",
]


def assert_agrees(checkpoint, row, prompt_length, record_property):
    """Each step's logits are the reference's for the same text, and so is each greedy token."""
    expected = checkpoint.logits(row.tokens[:-1])[prompt_length - 1 :]
    found = torch.stack(row.logits)
    difference = (found - expected).abs().max().item()
    record_property("max_difference", difference)
    assert difference < 1e-4
    assert row.tokens[prompt_length:] == expected.argmax(-1).tolist()


@pytest.mark.parametrize("name", FAMILIES)
def test_agrees_with_transformers_over_200_steps(name, checkpoint, server, record_property):
    """Prompts of different lengths decode together, in any slots, on blocks in any order."""
    reference = checkpoint(name)
    run = server(reference.folder)
    lengths = {2: 3, 0: 41, 3: 150}
    run.admit({slot: run.prompt(length) for slot, length in lengths.items()})
    for _ in range(200):
        run.step()
    for slot, length in lengths.items():
        assert_agrees(reference, run.rows[slot], length, record_property)


def test_a_reused_slot_and_reused_blocks_start_afresh(checkpoint, server, record_property):
    """Requests come and go; what a slot or a block held before leaves no trace."""
    reference = checkpoint("mistral-sliding")
    run = server(reference.folder)
    run.admit({1: run.prompt(70)})
    for turn in range(6):
        slot = turn % 3 if turn % 3 != 1 else 3
        length = 20 + 31 * turn
        run.admit({slot: run.prompt(length)})
        for _ in range(9):
            run.step()
        assert_agrees(reference, run.finish(slot), length, record_property)
    assert_agrees(reference, run.finish(1), 70, record_property)


@pytest.mark.parametrize("block_size", [16, 48, 64, 256])
def test_any_block_size_gives_the_same_text(block_size, checkpoint, server, record_property):
    reference = checkpoint("qwen2-sliding-layers")
    pool = PagedAttentionConfig(block_size, 40)
    run = server(reference.folder, paged_attention_config=pool)
    run.admit({0: run.prompt(130), 1: run.prompt(block_size)})
    for _ in range(70):
        run.step()
    assert_agrees(reference, run.rows[0], 130, record_property)
    assert_agrees(reference, run.rows[1], block_size, record_property)


def test_a_long_prompt_is_computed_in_chunks(checkpoint, server, record_property):
    reference = checkpoint("phi3")
    run = server(reference.folder, max_seq_len=2048)
    length = 2 * CHUNK + 77
    run.admit({0: run.prompt(length)})
    run.step()
    assert_agrees(reference, run.rows[0], length, record_property)


@pytest.mark.parametrize("name", ["llama", "qwen3", "phi3"])
def test_bfloat16_is_the_reference_with_rounded_weights(name, checkpoint, server):
    """The logits are those of the reference with its weights rounded to bfloat16."""
    rounded = copy.deepcopy(checkpoint(name).model)
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.copy_(parameter.bfloat16())
    run = server(checkpoint(name).folder, dtype=ttnn.bfloat16)
    run.admit({0: run.prompt(50)})
    for _ in range(5):
        run.step()
    with torch.no_grad():
        expected = rounded(torch.tensor([run.rows[0].tokens[:-1]])).logits[0, 49:]
    # Where the CPU multiplies bfloat16 itself, activations are rounded too.
    tolerance = 1e-4 if "float32" in run.args.dtype else 0.3
    assert (torch.stack(run.rows[0].logits) - expected).abs().max() < tolerance
