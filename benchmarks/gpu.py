"""Decode on an NVIDIA GPU: our Generator beside `transformers`, and the limit that memory sets.

    .venv/bin/python benchmarks/gpu.py
    .venv/bin/python benchmarks/gpu.py --models m1b --rows 1 32 --rounds 9 --output table.md

Both have the same weights in bfloat16 on the same GPU, answer greedily, and are asked in turns.
Ours is asked as the engine does it: a step at a time, logits to the CPU, and the token chosen
there; all 32 rows are computed however many are in use. `transformers` runs its own `generate` with
a static cache, once as it is and once compiled, for which Triton needs a C compiler. Both have to
read weights, keys and values once a step: the memory limit is how long a copy on the GPU takes for
as many bytes.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from random_models import SHAPES, random_checkpoint
from transformers import AutoModelForCausalLM, LogitsProcessor, LogitsProcessorList

from ttdirect import generator as ttnn
from ttdirect.generator import Generator, GeneratorError, PagedAttentionConfig, create_tt_model

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
SLOTS, MAX_SEQ_LEN, BLOCK_SIZE, BLOCKS = 32, 2048, 32, 1025
"""As the script that `ttdirect create` writes."""
PROMPT, NEW_TOKENS = 118, 64
COPY_BYTES, COPY_ROUNDS = 1 << 30, 7

Measure = Callable[[int], float]
"""From the number of rows to seconds a decode step."""


class Ours:
    """Our Generator, driven as the engine drives it."""

    def __init__(self, folder: Path) -> None:
        os.environ["HF_MODEL"] = str(folder)
        mesh = ttnn.open_mesh_device()
        self.args, model, self.kv_cache, _ = create_tt_model(
            mesh,
            instruct=True,
            max_batch_size=SLOTS,
            optimizations=None,
            max_seq_len=MAX_SEQ_LEN,
            paged_attention_config=PagedAttentionConfig(BLOCK_SIZE, BLOCKS),
            dtype=ttnn.bfloat16,
        )
        self.generator = Generator([model], [self.args], mesh)

    def step_bytes(self, rows: int) -> int:
        """What a step in the middle of the answer reads: weights, and the rows' keys and values."""
        token = self.args.kv_cache_bytes // (BLOCKS * BLOCK_SIZE)
        return self.args.weight_bytes + rows * (PROMPT + NEW_TOKENS // 2) * token

    def measure(self, rows: int) -> float:
        """Prefill the rows, decode the answers, and return seconds a step."""
        columns = MAX_SEQ_LEN // BLOCK_SIZE
        needed = -(-(PROMPT + NEW_TOKENS) // BLOCK_SIZE)
        table = torch.zeros(SLOTS, columns, dtype=torch.int32)
        owned = torch.arange(1, 1 + rows * needed, dtype=torch.int32)
        table[:rows, :needed] = owned.view(rows, needed)
        positions = torch.full((SLOTS,), -1)
        positions[:rows] = PROMPT
        tokens = torch.zeros(SLOTS, 1, dtype=torch.int64)
        logits = self.generator.prefill_forward_text(
            prompts(rows, self.args.vocab_size), page_table=table[:rows], kv_cache=[self.kv_cache]
        )
        tokens[:rows] = logits.argmax(-1)
        begun = time.perf_counter()
        for _ in range(NEW_TOKENS):
            logits = self.generator.decode_forward_text(
                tokens, positions, page_table=table, kv_cache=[self.kv_cache]
            )
            tokens[:rows] = logits[:rows].argmax(-1)
            positions[:rows] += 1
        return (time.perf_counter() - begun) / NEW_TOKENS


class Transformers:
    """`generate` of transformers, with a static cache."""

    def __init__(self, folder: Path, device: str, *, compiled: bool) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).to(device)
        self.compiled = compiled

    def measure(self, rows: int) -> float:
        """Return seconds a step: from the logits of the prompt to those of the last token."""
        ids = prompts(rows, self.model.config.vocab_size).to(self.model.device)
        stopwatch = Stopwatch()
        answer = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=NEW_TOKENS + 1,
            min_new_tokens=NEW_TOKENS + 1,
            cache_implementation="static",
            disable_compile=not self.compiled,
            logits_processor=LogitsProcessorList([stopwatch]),
        ).tolist()  # waits for the GPU
        seconds = time.perf_counter() - stopwatch.begun
        if len(answer[0]) != PROMPT + NEW_TOKENS + 1:
            raise SystemExit("transformers answers with another number of tokens than it was asked")
        return seconds / NEW_TOKENS


class Stopwatch(LogitsProcessor):
    """Notes when the first logits are there, and changes nothing."""

    begun = 0.0

    def __call__(self, _input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if not self.begun:
            scores[0, 0].item()  # waits for the GPU
            self.begun = time.perf_counter()
        return scores


def prompts(rows: int, vocab_size: int) -> torch.Tensor:
    """Random prompts, `[rows, PROMPT]`; the same ones each time."""
    return torch.randint(vocab_size, (rows, PROMPT), generator=torch.Generator().manual_seed(0))


def copy_bandwidth() -> float:
    """Bytes/s that a copy on the GPU reads and writes: the median over 1 GiB."""
    source = torch.ones(COPY_BYTES // 4, device="cuda")
    target = torch.empty_like(source)
    seconds = []
    for _ in range(COPY_ROUNDS + 1):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    return 2 * COPY_BYTES / statistics.median(seconds[1:])


def compare(contestants: dict[str, Measure], rows: int, rounds: int) -> dict[str, float | str]:
    """Median seconds a step of each, measured in turns; a sentence where one does not run."""
    # A warm-up, in which torch.compile compiles.
    found = {name: failure(measure, rows) for name, measure in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name, why in found.items() if not why}
    for _ in range(rounds):
        for name, seconds in times.items():
            seconds.append(contestants[name](rows))
    return found | {name: statistics.median(seconds) for name, seconds in times.items()}


def failure(measure: Measure, rows: int) -> str:
    """Run once; return why that failed, empty where it did not."""
    try:
        measure(rows)
    except RuntimeError as error:  # those of compilers, and of a full GPU, are of that kind
        return f"did not run: {(str(error) or repr(error)).splitlines()[0][:80]}"
    return ""


def table_rows(model: str, rows: int, steps: dict[str, float | str], limit: float) -> list[str]:
    """Lines of the table for one model and number of rows; `limit` is in seconds a step."""
    lines = []
    ours = steps["ttdirect"]
    for name, step in steps.items():
        if isinstance(step, str):
            cells = ["", "", "", step]
        else:
            ratio = f"{step / ours:.2f}" if isinstance(ours, float) else ""
            cells = [f"{1000 * step:.2f}", f"{rows / step:,.0f}", ratio, f"{limit / step:.0%}"]
        lines.append(f"| {' | '.join([model, str(rows), name, *cells])} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["m135", "m1b"])
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="a file for the table, too")
    options = parser.parse_args()
    os.environ["TTDIRECT_DEVICE"] = "cuda"
    os.environ["TTDIRECT_PRECISION"] = "bf16"
    try:
        name = ttnn.open_mesh_device().name
    except GeneratorError as error:
        raise SystemExit(f"Nothing was measured. {error.what}\n{error.fix}") from error
    bandwidth = copy_bandwidth()
    where = f"{name}, memory copied at {bandwidth / 1e9:,.0f} GB/s, PyTorch {torch.__version__}"
    lines = [
        f"{where}. {PROMPT} tokens of prompt, {NEW_TOKENS} new ones, {options.rounds} rounds.",
        "",
        "| model | rows | | ms a step | tokens/s | ttdirect: times as fast | memory limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in options.models:
        folder = random_checkpoint(model, CACHE)
        ours = Ours(folder)
        contestants: dict[str, Measure] = {"ttdirect": ours.measure}
        for compiled in (False, True):
            title = "transformers, compiled" if compiled else "transformers"
            contestants[title] = Transformers(folder, "cuda", compiled=compiled).measure
        for rows in options.rows:
            steps = compare(contestants, rows, options.rounds)
            lines += table_rows(model, rows, steps, ours.step_bytes(rows) / bandwidth)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
