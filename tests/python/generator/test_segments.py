"""Attention in segments of fixed shapes, as captured steps compute it."""

import math

import pytest
import torch

from ttdirect.generator.segments import attend_step, plan_step, segment_ends


@pytest.mark.parametrize(
    ("max_seq_len", "block_size", "ends"),
    [
        (128, 32, (4,)),
        (256, 32, (8,)),
        (2048, 32, (8, 16, 32, 64)),
        (2000, 32, (8, 16, 32, 63)),
        (1024, 48, (6, 12, 22)),
        (1024, 512, (1, 2)),
    ],
)
def test_they_double_up_to_the_longest_text(max_seq_len, block_size, ends):
    assert segment_ends(max_seq_len, block_size) == ends


@pytest.mark.parametrize("window", [None, 1, 33, 64, 300])
def test_attention_is_that_over_all_visible_keys(window):
    """Against a plain softmax, for texts that end at the edges of blocks and segments."""
    torch.manual_seed(0)
    positions = torch.tensor([0, 31, 32, 255, 256, 511, 512, 1023])
    tables = torch.randperm(8 * 32).view(8, 32)
    pools = [torch.randn(8 * 32, 2, 32, 16) for _ in "kv"]
    queries = torch.randn(8, 6, 16)
    plan = plan_step(positions, tables, pools[0], window, (8, 16, 32))
    found = attend_step(queries, pools, plan)
    for row, position in enumerate(positions.tolist()):
        keys, values = (pool[tables[row]].transpose(0, 1).flatten(1, 2) for pool in pools)
        seen = slice(0 if window is None else max(0, position + 1 - window), position + 1)
        for head in range(6):
            scores = keys[head // 3, seen] @ queries[row, head] / math.sqrt(16)
            expected = scores.softmax(0) @ values[head // 3, seen]
            assert torch.allclose(found[row, head * 16 : head * 16 + 16], expected, atol=1e-5)
        written = plan.written.view(8, 2)[row, 1]
        pools[0].view(-1, 16)[written] = 5.0
        assert (pools[0][tables[row, position // 32], 1, position % 32] == 5.0).all()


@pytest.mark.parametrize("window", [None, 300])
def test_a_longer_step_adds_segments_and_changes_none(window):
    """The shapes decide about the kernels, and the kernels about the bits."""
    pool, ends = torch.zeros(64, 2, 32, 16), (8, 16, 32, 64)
    positions, tables = torch.tensor([3, 200]), torch.arange(128).view(2, 64)

    def shapes(count):
        plan = plan_step(positions, tables, pool, window, ends[:count])
        return [(it.blocks.shape, it.mask.shape) for it in plan.segments]

    for count in (1, 2, 3):
        assert shapes(count) == shapes(4)[:count]


def test_a_window_reads_no_more_segments_than_it_spans():
    pool = torch.zeros(64, 2, 32, 16)
    positions, tables = torch.tensor([1000]), torch.arange(64)[None]
    plan = plan_step(positions, tables, pool, 300, (8, 16, 32))
    assert [it.mask.shape[-1] for it in plan.segments] == [8 * 32, 3 * 32]
