"""Rule 9: what the device goes on with by itself while it samples, and what it reads again."""

from generator.era_caller import FIRST_D, GREEDY, STEADY_D, Caller, first, reference_tokens, started


def test_rule_09_the_steady_state_of_device_sampling_ignores_the_host(caller, checkpoint):
    """After the first sampled step, tokens and positions from the host are stale and unread."""
    prompt, token, table = started(caller)
    expected = reference_tokens(checkpoint, prompt, 5)
    assert token == expected[0]
    changes = FIRST_D if caller.era == "D" else {}
    step = ([[0], [0], [token], [0]], [-1, -1, len(prompt), -1])
    found = [int(first(caller.decode(*step, table.clone(), sampling_params=GREEDY, **changes))[2])]
    changes = STEADY_D if caller.era == "D" else {}
    for _ in range(3):
        nonsense = ([[99]] * 4, [5, 1, 0, 77])
        sampled = first(caller.decode(*nonsense, table.clone(), sampling_params=GREEDY, **changes))
        found.append(int(sampled[2]))
    assert found == expected[1:]


def test_rule_09_a_new_page_table_is_seen_in_the_steady_state(caller, checkpoint):
    """The request grows into its second block while the device feeds itself."""
    prompt, token, table = started(caller, prompt_length=30)
    later = table.clone()
    table[2, 1:] = 0
    expected = reference_tokens(checkpoint, prompt, 6)
    found = [token]
    for step in range(5):
        commands = {}
        if caller.era == "D":
            commands = FIRST_D if step == 0 else {**STEADY_D, "reload_page_table": step == 2}
        found.append(
            int(
                first(
                    caller.decode(
                        [[0], [0], [found[-1]], [0]],
                        [-1, -1, 30 + step, -1],
                        (table if step < 2 else later).clone(),
                        sampling_params=GREEDY,
                        **commands,
                    )
                )[2]
            )
        )
    assert found == expected


def test_rule_09_host_sampling_reads_its_inputs_every_step(caller, checkpoint):
    prompt, token, table = started(caller)
    for other in (token, 5, 6):
        step = ([[0], [0], [other], [0]], [-1, -1, len(prompt), -1])
        found = first(caller.decode(*step, table.clone()))[2, 0]
        expected = checkpoint("llama").logits([*prompt, other])[-1]
        assert (found - expected).abs().max() < 1e-4


def test_rule_09_a_prefill_or_reset_makes_the_cpu_and_era_c_load_again(run, checkpoint):
    for era in ("cpu", "C"):
        caller = Caller(era, run)
        prompt, token, table = started(caller)
        step = ([[0], [0], [token], [0]], [-1, -1, len(prompt), -1])
        once = first(caller.decode(*step, table.clone(), sampling_params=GREEDY))
        caller.prefill([run.prompt(8)], empty_slots=[2])
        again = first(caller.decode(*step, table.clone(), sampling_params=GREEDY))
        assert int(once[2]) == int(again[2]) == reference_tokens(checkpoint, prompt, 2)[1]


def test_rule_09_era_c_keeps_the_device_token_where_positions_fit(run, checkpoint):
    """On reset_batch the host may lag one step behind: the device's own token wins."""
    caller = Caller("C", run)
    prompt, token, table = started(caller)
    expected = reference_tokens(checkpoint, prompt, 3)
    step = ([[0], [0], [token], [0]], [-1, -1, len(prompt), -1])
    caller.decode(*step, table.clone(), sampling_params=GREEDY)
    stale = ([[0], [0], [99], [0]], [-1, -1, len(prompt), -1])
    found = first(caller.decode(*stale, table.clone(), sampling_params=GREEDY, reset_batch=True))
    assert int(found[2]) == expected[2]


def test_rule_09_era_c_can_give_a_row_the_token_of_whom_it_served_before(run, checkpoint):
    """Why nobody goes from the host's choice to the device's: a stale token's position may fit."""
    caller = Caller("C", run)
    prompt, token, table = started(caller)
    expected = reference_tokens(checkpoint, prompt, 3)
    at = len(prompt)
    first_step = ([[0], [0], [99], [0]], [-1, -1, at, -1])  # another request in the same row
    stale = first(caller.decode(*first_step, table.clone(), sampling_params=GREEDY))
    caller.prefill([prompt], page_table=table[2:3], empty_slots=[2])
    step = ([[0], [0], [token], [0]], [-1, -1, at, -1])
    logits = first(caller.decode(*step, table.clone()))  # the host chooses
    assert int(logits[2].argmax()) == expected[1] != int(stale[2])
    step = ([[0], [0], [expected[1]], [0]], [-1, -1, at + 1, -1])
    found = first(caller.decode(*step, table.clone(), sampling_params=GREEDY, reset_batch=True))
    assert int(found[2]) != expected[2]


def test_rule_09_slot_remap_moves_a_row_to_its_new_slot(run, checkpoint):
    caller = Caller("D", run)
    prompt, token, table = started(caller)
    expected = reference_tokens(checkpoint, prompt, 3)
    step = ([[0], [0], [token], [0]], [-1, -1, len(prompt), -1])
    caller.decode(*step, table.clone(), sampling_params=GREEDY, **FIRST_D)
    moved = table.clone()
    moved[0], moved[2] = table[2], table[0]
    commands = {**STEADY_D, "reload_page_table": True}
    found = first(
        caller.decode(*step, moved, sampling_params=GREEDY, slot_remap=[2, 1, 0, 3], **commands)
    )
    assert int(found[0]) == expected[2]
