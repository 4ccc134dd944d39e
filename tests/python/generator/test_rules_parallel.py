"""Rules 2 and 7 for several models behind one Generator: each has its own rows and its own cache.

A wrong block or a wrong row is no error to the API, but somebody else's text. The flavours of each
era refuse it, so that a server that mixes models up cannot pass.
"""

import pytest
import torch

from generator.era_caller import Caller, first
from generator_flavours import FLAVOURS

ERAS = [era for era in FLAVOURS if era != "0"]
"""Era 0 takes no slots: it reads a single prompt into the first model, whatever it is for."""
ROWS = 2
BLOCK = 32


class Pair:
    """Two models of two rows each, in the shape of an era."""

    def __init__(self, era, run, load):
        loaded = [load(max_batch_size=ROWS) for _ in range(2)]
        self.caller = Caller(era, run)
        self.caller.generator = FLAVOURS[era]([it[1] for it in loaded], [it[0] for it in loaded], 0)
        self.caches = [it[2] for it in loaded]
        self.run = run

    def table(self, blocks):
        return torch.tensor([self.run.table(blocks)], dtype=torch.int32)

    def prefill(self, slot, prompt, blocks, **changes):
        """Logits of the prompt's last token."""
        arguments = {
            "page_table": self.table(blocks),
            "kv_cache": self.caches,
            "prompt_lens": [len(prompt)],
            "empty_slots": [slot],
            **changes,
        }
        return first(self.caller.prefill([prompt], **arguments))[0, 0]

    def decode(self, rows):
        """Logits of all rows; `rows` maps a row to its token, position and blocks."""
        tokens, positions = [[0] for _ in range(2 * ROWS)], [-1] * (2 * ROWS)
        table = torch.zeros(2 * ROWS, self.run.width, dtype=torch.int32)
        for row, (token, position, blocks) in rows.items():
            tokens[row], positions[row], table[row] = [token], position, self.table(blocks)[0]
        return first(self.caller.decode(tokens, positions, table, kv_cache=self.caches))[:, 0]


@pytest.fixture
def pair_of(run, checkpoint, load_model):
    """A function from an era to two models of it."""
    folder = checkpoint("llama").folder
    return lambda era: Pair(era, run, lambda **changes: load_model(folder, **changes))


@pytest.fixture(params=ERAS)
def pair(request, pair_of):
    return pair_of(request.param)


def test_rule_02_the_same_block_is_another_one_in_each_cache(pair, checkpoint):
    prompts = {1: pair.run.prompt(20), 2: pair.run.prompt(25)}
    for slot, prompt in prompts.items():
        pair.prefill(slot, prompt, [7])
    found = pair.decode({slot: (9, len(prompt), [7]) for slot, prompt in prompts.items()})
    for slot, prompt in prompts.items():
        expected = checkpoint("llama").logits([*prompt, 9])[-1]
        assert (found[slot] - expected).abs().max() < 1e-4


def test_rule_02_kv_cache_has_one_entry_for_each_model(pair):
    with pytest.raises(AssertionError, match="kv_cache must be a list with one cache per"):
        pair.prefill(0, pair.run.prompt(20), [7], kv_cache=pair.caches[:1])


def test_rule_07_a_row_of_the_other_model_is_refused(pair):
    prompt = pair.run.prompt(20)
    pair.prefill(1, prompt, [7])
    with pytest.raises(AssertionError, match=r"row 2 .* model 1 has read 0 tokens for it"):
        pair.decode({2: (9, len(prompt), [7])})


def test_rule_07_a_block_of_the_other_models_cache_is_refused(pair):
    prompts = {0: pair.run.prompt(20), 2: pair.run.prompt(20)}
    for slot, block in ((0, 5), (2, 6)):
        pair.prefill(slot, prompts[slot], [block])
    rows = {0: (9, 20, [5]), 2: (9, 20, [5])}
    with pytest.raises(AssertionError, match="row 2 names block 5, and in the cache of model 1"):
        pair.decode(rows)


@pytest.mark.parametrize("era", ["late B", "C", "D"])
def test_rule_07_a_beginning_that_the_other_model_has_read_is_refused(pair_of, era):
    pair = pair_of(era)
    prompt = pair.run.prompt(4 * BLOCK)
    pair.prefill(0, prompt, [5, 6, 7, 8])
    changes = {"start_pos": [2 * BLOCK]}
    pair.prefill(1, prompt, [5, 6, 9, 10], **changes)
    with pytest.raises(AssertionError, match="in the cache of model 1 that holds something else"):
        pair.prefill(2, prompt, [5, 6, 9, 10], **changes)


def test_rule_10_era_0_reads_a_single_prompt_into_the_first_model(pair_of):
    pair = pair_of("0")
    prompt = pair.run.prompt(20)
    pair.prefill(2, prompt, [7])
    pair.decode({0: (9, 20, [7])})
    with pytest.raises(AssertionError, match="model 1 has read 0 tokens"):
        pair.decode({2: (9, 20, [7])})
