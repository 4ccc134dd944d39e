"""The rules that an implementation of the Generator API must enforce, one test for each.

The last two have files of their own: 9 `test_rules_device_sampling`, 10 `test_rules_flavours`.
"""

import pytest
import torch

from era_signatures import HOST_SAMPLING
from generator.era_caller import (
    ERAS,
    FIRST_D,
    GREEDY,
    STEADY_D,
    TUPLES,
    Caller,
    empty_table,
    first,
    started,
)
from ttdirect.generator import get_padded_prefill_len


@pytest.mark.parametrize("size", [0, 3, 5, 33, 64])
def test_rule_01_batch_sizes_other_than_the_six_are_refused(size, checkpoint, load_model):
    with pytest.raises(ValueError, match=f"^Batch size {size} not supported$"):
        load_model(checkpoint("llama").folder, max_batch_size=size)


def test_rule_01_a_decode_step_has_exactly_max_batch_size_rows(caller):
    for rows in (1, 3, 8):
        with pytest.raises(
            AssertionError, match=f"Batch size {rows} must be equal to max_batch_size 4"
        ):
            caller.decode([[0]] * rows, [-1] * rows, empty_table(caller.run, rows))


def test_rule_02_kv_cache_is_a_list_with_one_entry_per_model(caller):
    prompt = caller.run.prompt(5)
    for wrong in (caller.run.kv_cache, [caller.run.kv_cache] * 2, (caller.run.kv_cache,)):
        with pytest.raises(AssertionError, match="kv_cache must be a list with one cache per"):
            caller.prefill([prompt], kv_cache=wrong)


def test_rule_02_page_table_must_be_a_tensor(caller):
    with pytest.raises(AssertionError, match=r"page_table must be a torch\.Tensor"):
        caller.prefill([caller.run.prompt(5)], page_table=[[1, 2, 3]])


def test_rule_02_the_width_of_the_page_table_is_fixed_by_the_first_traced_decode(caller):
    caller.decode([[0]] * 4, [-1] * 4, empty_table(caller.run))
    with pytest.raises(RuntimeError, match="the decode trace was captured with 32"):
        caller.decode([[0]] * 4, [-1] * 4, empty_table(caller.run)[:, :-1])


def test_rule_02_prefill_tables_are_in_the_order_of_the_prompts(caller, checkpoint):
    """Row i of the table belongs to prompt i, whatever slot it goes to."""
    run = caller.run
    prompts = [run.prompt(40), run.prompt(40)]
    tables = torch.tensor([run.table([5, 9]), run.table([7, 3])], dtype=torch.int32)
    logits = first(caller.prefill(prompts, page_table=tables, empty_slots=[3, 1]))
    table = empty_table(run)
    table[3], table[1] = tables[0], tables[1]
    tokens, positions = [[0]] * 4, [-1] * 4
    for slot, index in ((3, 0), (1, 1)):
        tokens[slot], positions[slot] = [int(logits[index].argmax())], 40
    found = first(caller.decode(tokens, positions, table))
    for slot, index in ((3, 0), (1, 1)):
        expected = checkpoint("llama").logits(prompts[index] + tokens[slot])[-1]
        assert (found[slot, 0] - expected).abs().max() < 1e-4


def test_rule_03_the_padded_prompt_must_fit_max_seq_len(checkpoint, server):
    run = server(checkpoint("llama").folder, max_seq_len=512)
    for era in ERAS:
        caller = Caller(era, run)
        caller.prefill([run.prompt(128)])
        with pytest.raises(AssertionError, match="Sequence length 1024 exceeds max seq len 512"):
            caller.prefill([run.prompt(129)])


def test_rule_03_prompts_are_padded_to_the_lengths_that_a_card_compiles():
    lengths = [1, 128, 129, 1024, 1025, 2048, 5000]
    assert [get_padded_prefill_len(it) for it in lengths] == [
        128,
        128,
        1024,
        1024,
        2048,
        2048,
        8192,
    ]


def test_rule_03_a_chunked_prefill_needs_page_table_and_cache(checkpoint, server, monkeypatch):
    monkeypatch.setenv("MAX_PREFILL_CHUNK_SIZE", "1")
    run = server(checkpoint("llama").folder, max_seq_len=2048)
    tokens = [run.prompt(1100)]
    with pytest.raises(AssertionError, match="page_table must be provided for chunked prefill"):
        Caller("cpu", run).prefill(tokens, page_table=None)
    with pytest.raises(AssertionError, match="kv_cache must be provided for chunked prefill"):
        Caller("cpu", run).prefill(tokens, kv_cache=None)


def test_rule_04_shapes_and_types_of_the_results(caller):
    logits = caller.prefill([caller.run.prompt(9), caller.run.prompt(9)])
    assert logits.shape == (2, 1, 320)
    assert logits.dtype == torch.float32
    result = caller.decode([[0]] * 4, [-1] * 4, empty_table(caller.run))
    assert isinstance(result, tuple) == (caller.era in TUPLES)
    assert first(result).shape == (4, 1, 320)
    assert first(result).dtype == torch.float32


def test_rule_04_shapes_and_types_of_sampled_tokens(caller):
    changes = {} if caller.era != "D" else FIRST_D
    result = caller.decode(
        [[0]] * 4, [-1] * 4, empty_table(caller.run), sampling_params=GREEDY, **changes
    )
    assert isinstance(result, tuple) == (caller.era in TUPLES)
    assert first(result).shape == (4,)
    assert not first(result).is_floating_point()
    if caller.era in {"cpu", "C", "D"}:
        prompts = [caller.run.prompt(9), caller.run.prompt(9)]
        tokens = first(caller.prefill(prompts, sampling_params=GREEDY))
        assert tokens.shape == (2, 1)
        assert tokens.dtype == torch.int64
        assert tokens[:, 0].tolist() == first(caller.prefill(prompts)).argmax(-1)[:, 0].tolist()


def test_rule_04_results_can_stay_on_the_device_and_be_read_later(caller):
    run = caller.run
    now = first(caller.decode([[3]] * 4, [0, -1, -1, -1], empty_table(run)))
    held = caller.decode([[3]] * 4, [0, -1, -1, -1], empty_table(run), read_from_device=False)
    assert isinstance(held, list)
    generator = caller.generator
    if caller.era in {"0", "A"}:
        later = generator.read_decode_output(held, 4, is_tokens=False)
    else:
        host, events = generator.read_decode_output(held, async_read=True)
        assert list(events) == []
        later = first(generator.process_decode_output_host(host, is_tokens=False))
    assert torch.equal(later[0], now[0])


def test_rule_05_era_d_requires_the_four_commands_as_keywords(run):
    caller = Caller("D", run)
    for left_out in HOST_SAMPLING:
        commands = {name: value for name, value in HOST_SAMPLING.items() if name != left_out}
        with pytest.raises(TypeError, match=left_out):
            caller.generator.decode_forward(
                torch.zeros(4, 1),
                torch.full((4,), -1),
                empty_table(run),
                [run.kv_cache],
                **commands,
            )


def test_rule_05_era_d_rejects_reset_batch_and_illegal_pairs(run):
    caller = Caller("D", run)
    idle = ([[0]] * 4, [-1] * 4, empty_table(run))
    with pytest.raises(TypeError, match="reset_batch"):
        caller.decode(*idle, reset_batch=True)
    with pytest.raises(ValueError, match="mutually exclusive"):
        caller.decode(*idle, **{**HOST_SAMPLING, "reload_page_table": True})
    with pytest.raises(ValueError, match="requires reload_inputs=True"):
        caller.decode(*idle, **{**STEADY_D, "reset_sampling_state": True})
    with pytest.raises(ValueError, match="requires reload_inputs=True"):
        caller.decode(*idle, **STEADY_D)
    with pytest.raises(ValueError, match="requires reload_inputs=True"):
        caller.decode(*idle, **STEADY_D, sampling_params=GREEDY, enable_trace=False)


def test_rule_06_idle_rows_write_nothing(caller):
    prompt, token, table = started(caller)
    table[0] = table[2]  # an idle row that points at live blocks must not touch them
    before = [[pool.clone() for pool in layer] for layer in caller.run.kv_cache]
    caller.decode([[7], [0], [token], [0]], [-1, -1, len(prompt), -1], table)
    block, offset = int(table[2, 0]), len(prompt)
    for layer, old in zip(caller.run.kv_cache, before, strict=True):
        for pool, was in zip(layer, old, strict=True):
            assert not torch.equal(pool[block, :, offset], was[block, :, offset])
            was[block, :, offset] = pool[block, :, offset]
            assert torch.equal(pool, was)


def test_rule_06_a_batch_of_idle_rows_is_a_legal_step(caller):
    before = [pool.clone() for layer in caller.run.kv_cache for pool in layer]
    caller.decode([[0]] * 4, [-1] * 4, empty_table(caller.run))
    after = [pool for layer in caller.run.kv_cache for pool in layer]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_rule_07_a_wrong_page_table_gives_wrong_logits(caller, checkpoint):
    prompt, token, table = started(caller, prompt_length=60)
    expected = checkpoint("llama").logits([*prompt, token])[-1]
    step = ([[0], [0], [token], [0]], [-1, -1, 60, -1])
    right = first(caller.decode(*step, table.clone()))[2, 0]
    assert (right - expected).abs().max() < 1e-4
    swapped = table.clone()
    swapped[2, 0], swapped[2, 1] = table[2, 1], table[2, 0]
    wrong = first(caller.decode(*step, swapped))[2, 0]
    assert (wrong - expected).abs().max() > 0.1


def test_rule_07_blocks_outside_the_pool_and_short_tables_are_refused(run):
    caller = Caller("cpu", run)
    beyond = empty_table(run, 1) + 129
    with pytest.raises(AssertionError, match="outside the pool of 129 blocks"):
        caller.prefill([run.prompt(5)], page_table=beyond)
    with pytest.raises(AssertionError, match="40 tokens need 2"):
        caller.prefill([run.prompt(40)], page_table=empty_table(run, 1)[:, :1])
    with pytest.raises(AssertionError, match="Sequence length 1025 exceeds max seq len 1024"):
        caller.decode([[0]] * 4, [1024, -1, -1, -1], empty_table(run))


def test_rule_08_padding_scribbles_over_block_0(caller):
    """Whoever keeps data in block 0 loses it to the next prompt's padding (20 tokens to 128)."""
    for layer in caller.run.kv_cache:
        for pool in layer:
            pool[0] = 123.0
    caller.prefill(
        [caller.run.prompt(20)],
        page_table=torch.tensor([caller.run.table([7])], dtype=torch.int32),
    )
    for layer in caller.run.kv_cache:
        for pool in layer:
            assert not (pool[0] == 123.0).any()


def test_rule_08_warm_up_scribbles_over_block_0(run):
    for era in ("cpu", "late B", "C", "D"):
        generator = Caller(era, run).generator
        for layer in run.kv_cache:
            for pool in layer:
                pool[0] = 123.0
        sampling = {"can_sample_on_device": False} if era in {"C", "D"} else {}
        generator.warmup_model_prefill([run.kv_cache], enable_trace=False, **sampling)
        old = {"non_greedy_decoding_on_device": False} if era == "late B" else {}
        generator.warmup_model_decode([run.kv_cache], True, 4, run.width, False, **old)
        assert generator.already_warmed_up_prefill
        for layer in run.kv_cache:
            for pool in layer:
                assert not (pool[0, :, 0] == 123.0).any()
