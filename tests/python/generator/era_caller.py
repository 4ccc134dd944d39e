"""Calling every flavour of the Generator alike, for the tests of the Generator API's rules."""

from __future__ import annotations

import torch

from era_signatures import HOST_SAMPLING
from generator_flavours import FLAVOURS
from ttdirect.generator import Generator, SamplingParams

ERAS = ["cpu", *FLAVOURS]
TUPLES = {"late B", "C", "D"}
"""Eras whose decode returns `(out, log_probs)`."""
GREEDY = SamplingParams(0.0, 1, 1.0)
FIRST_D = {**HOST_SAMPLING, "reload_sampling_params": True, "reset_sampling_state": True}
"""Era D's commands for the first step that samples on the device."""
STEADY_D = dict.fromkeys(HOST_SAMPLING, False)
"""Era D's commands for the steps after it."""


class Caller:
    """Calls prefill and decode of any flavour by the names of its era."""

    def __init__(self, era, run):
        kinds = {"cpu": Generator, **FLAVOURS}
        self.era, self.run = era, run
        self.generator = kinds[era]([run.model], [run.args], None)

    def prefill(self, tokens, **changes):
        tables = [self.run.table([self.run.free.pop() for _ in range(4)]) for _ in tokens]
        arguments = {
            "page_table": torch.tensor(tables, dtype=torch.int32),
            "kv_cache": [self.run.kv_cache],
            **changes,
        }
        if self.era == "0":
            arguments.pop("empty_slots", None)
        return self.generator.prefill_forward_text(torch.tensor(tokens), **arguments)

    def decode(self, tokens, positions, table, **changes):
        arguments = {"page_table": table, "kv_cache": [self.run.kv_cache], **changes}
        if self.era == "D" and "reload_inputs" not in changes:
            arguments |= HOST_SAMPLING
        name = "decode_forward" if self.era in {"C", "D"} else "decode_forward_text"
        return getattr(self.generator, name)(
            torch.tensor(tokens), torch.tensor(positions), **arguments
        )


def first(result):
    """The logits or tokens, whether they come alone or in a tuple."""
    return result[0] if isinstance(result, tuple) else result


def empty_table(run, rows=4):
    return torch.zeros(rows, run.width, dtype=torch.int32)


def started(caller, prompt_length=20):
    """Prefill one prompt into slot 2; return its prompt, first token and a page table."""
    run = caller.run
    prompt = run.prompt(prompt_length)
    table = empty_table(run)
    table[2] = torch.tensor(run.table([run.free.pop() for _ in range(4)]))
    logits = first(caller.prefill([prompt], page_table=table[2:3], empty_slots=[2]))
    return prompt, int(logits.argmax()), table


def reference_tokens(checkpoint, prompt, count):
    """What `transformers` answers, greedily."""
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(checkpoint("llama").logits(tokens)[-1].argmax()))
    return tokens[len(prompt) :]
