"""The block allocator gives every block to one request at a time."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ttdirect.engine.blocks import SCRATCH_BLOCK, BlockAllocator


class TestAllocation:
    def test_every_block_but_the_scratch_one_is_handed_out(self):
        blocks = BlockAllocator(num_blocks=5, block_size=8).allocate(4)
        assert sorted(blocks) == [1, 2, 3, 4]
        assert SCRATCH_BLOCK not in blocks

    def test_too_many_blocks_are_refused_and_none_is_lost(self):
        allocator = BlockAllocator(num_blocks=5, block_size=8)
        assert allocator.allocate(5) is None
        assert allocator.free_count == allocator.capacity == 4

    def test_no_blocks_are_an_empty_list_even_when_all_are_taken(self):
        allocator = BlockAllocator(num_blocks=2, block_size=8)
        allocator.allocate(1)
        assert allocator.allocate(0) == []

    def test_the_block_freed_last_is_reused_first(self):
        allocator = BlockAllocator(num_blocks=9, block_size=8)
        first, second = allocator.allocate(1), allocator.allocate(1)
        allocator.free(first)
        allocator.free(second)
        assert allocator.allocate(1) == second

    @pytest.mark.parametrize(
        ("tokens", "blocks"), [(0, 0), (1, 1), (7, 1), (8, 1), (9, 2), (16, 2), (17, 3)]
    )
    def test_tokens_round_up_to_whole_blocks(self, tokens, blocks):
        assert BlockAllocator(num_blocks=5, block_size=8).blocks_for(tokens) == blocks


class TestFreeing:
    def test_a_block_given_back_twice_is_refused(self):
        allocator = BlockAllocator(num_blocks=5, block_size=8)
        blocks = allocator.allocate(2)
        allocator.free(blocks)
        with pytest.raises(ValueError, match="is not in use"):
            allocator.free(blocks)
        assert allocator.free_count == 4

    def test_the_scratch_block_cannot_be_given_back(self):
        with pytest.raises(ValueError, match="block 0 is not in use"):
            BlockAllocator(num_blocks=5, block_size=8).free([SCRATCH_BLOCK])


class TestSettings:
    @pytest.mark.parametrize("num_blocks", [-1, 0, 1])
    def test_a_cache_without_a_block_for_requests_is_refused(self, num_blocks):
        with pytest.raises(ValueError, match=f"at least 2 .* not {num_blocks}"):
            BlockAllocator(num_blocks, block_size=8)

    def test_a_block_without_tokens_is_refused(self):
        with pytest.raises(ValueError, match="block_size must be at least 1, not 0"):
            BlockAllocator(num_blocks=5, block_size=0)


@given(
    num_blocks=st.integers(2, 40),
    wishes=st.lists(st.one_of(st.integers(0, 12), st.just("give back")), max_size=60),
    pick=st.randoms(use_true_random=False),
)
def test_no_block_is_ever_lost_or_held_twice(num_blocks, wishes, pick):
    allocator = BlockAllocator(num_blocks, block_size=16)
    held: list[list[int]] = []
    for wish in wishes:
        if wish != "give back":
            blocks = allocator.allocate(wish)
            assert (blocks is None) == (wish > allocator.free_count + len(blocks or ()))
            held += [blocks] if blocks else []
        elif held:
            allocator.free(held.pop(pick.randrange(len(held))))
        taken = [block for blocks in held for block in blocks]
        assert len(set(taken)) == len(taken)
        assert set(taken) <= set(range(1, num_blocks))
        assert allocator.free_count + len(taken) == allocator.capacity
