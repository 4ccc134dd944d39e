"""What a long prompt costs those who are being answered, and what a known beginning saves.

    .venv/bin/python benchmarks/long_prompts.py --rounds 5

On the engine itself, with the random `m135`: four streams run, then a prompt of 1,500 tokens
arrives. Reported: the longest gap between two tokens of the others, the long prompt's time to
first token, and that of the same prompt sent again. Once in pieces, once read at a stretch.
"""

import argparse
import itertools
import os
import random
import statistics
import threading
import time
from pathlib import Path

import torch
from random_models import random_checkpoint

from ttdirect import generator as ttnn
from ttdirect.engine import Engine, LoadedModel, Options, Request, State, adapt
from ttdirect.engine.sequence import Finished, Sequence
from ttdirect.generator import (
    DecodersPrecision,
    Generator,
    PagedAttentionConfig,
    create_tt_model,
)

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
OTHERS, LONG, CONTEXT, BLOCK = 4, 1500, 2048, 32


def initialize_model(_phase: object) -> LoadedModel:
    """As the user's script does it."""
    device = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
    args, model, kv_cache, _ = create_tt_model(
        device,
        instruct=True,
        max_batch_size=8,
        optimizations=lambda args: DecodersPrecision.performance(args.n_layers, args.model_name),
        max_seq_len=CONTEXT,
        paged_attention_config=PagedAttentionConfig(block_size=BLOCK, max_num_blocks=513),
        dtype=ttnn.bfloat8_b,
    )
    generator = adapt(Generator([model], [args], device, tokenizer=args.tokenizer))

    def prefill(tokens, prompt_len, page_table, slot, cached=0):  # noqa: ANN001, ANN202
        return generator.prefill_forward_text(
            tokens,
            page_table=page_table,
            kv_cache=[kv_cache],
            prompt_lens=[prompt_len],
            empty_slots=[slot],
            start_pos=[cached],
        )

    def decode(tokens, positions, page_table):  # noqa: ANN001, ANN202
        return generator.decode_forward_text(
            tokens, positions, page_table=page_table, kv_cache=[kv_cache]
        )

    return LoadedModel(
        prefill=prefill,
        decode=decode,
        tokenizer=args.tokenizer,
        name=args.model_name,
        device=args.device_name,
        vocab_size=args.vocab_size,
        close=lambda: ttnn.close_mesh_device(device),
        continues_prompts=generator.continues_prompts,
    )


def ready(chunk: int) -> Engine:
    engine = Engine(
        initialize_model,
        max_batch_size=8,
        max_seq_len=CONTEXT,
        block_size=BLOCK,
        num_blocks=513,
        prefill_chunk=chunk,
    )
    engine.start()
    while engine.state is State.LOADING:
        time.sleep(0.05)
    return engine


def read(stream: Sequence, arrivals: list[float]) -> None:
    """Note when each token of a stream comes; a random model's tokens have no text to wait for."""
    while not isinstance(stream.events.get(), Finished):
        arrivals.append(time.perf_counter())


def measure(engine: Engine, chance: random.Random) -> tuple[float, float, float]:
    """Seconds: the others' longest gap, the long prompt's TTFT, its TTFT when it is known."""

    def prompt(length: int) -> list[int]:
        return [chance.randrange(100, 4000) for _ in range(length)]

    streams = [engine.submit(Request(tuple(prompt(40)), max_tokens=1500)) for _ in range(OTHERS)]
    arrivals: list[list[float]] = [[] for _ in streams]
    readers = [
        threading.Thread(target=read, args=pair) for pair in zip(streams, arrivals, strict=True)
    ]
    for reader in readers:
        reader.start()
    while any(len(times) < 20 for times in arrivals):
        time.sleep(0.01)
    begun, long = time.perf_counter(), prompt(LONG)
    answers = []
    for _ in range(2):
        answers.append(engine.complete(long, Options(8, ignore_eos=True), label="long"))
        for _ in answers[-1].pieces():
            pass
    ended = time.perf_counter()
    for stream in streams:
        engine.cancel(stream)
    for reader in readers:
        reader.join()
    gaps = [
        later - earlier
        for times in arrivals
        for earlier, later in itertools.pairwise(times)
        if begun <= later <= ended
    ]
    first, again = (answer.figures.ttft_seconds for answer in answers)
    return max(gaps), first, again


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ["HF_MODEL"] = str(random_checkpoint("m135", CACHE))
    engines = {chunk: ready(chunk) for chunk in (256, 512, CONTEXT)}
    figures: dict[int, list[tuple[float, float, float]]] = {chunk: [] for chunk in engines}
    for number in range(options.rounds):
        for chunk, engine in engines.items():  # in turns: the machine's speed changes
            figures[chunk].append(measure(engine, random.Random(number * 10_000 + chunk)))
    print(f"{os.cpu_count()} cores, PyTorch {torch.__version__}, {OTHERS} others\n")
    print("| tokens a piece | longest gap ms | TTFT ms | TTFT ms, prompt known |")
    print("|---|---|---|---|")
    for chunk, rows in figures.items():
        row = [1000 * statistics.median(column) for column in zip(*rows, strict=True)]
        print(f"| {chunk} | {row[0]:.0f} | {row[1]:.0f} | {row[2]:.0f} |")
    for engine in engines.values():
        engine.drain(0.0)
        engine.join()


if __name__ == "__main__":
    main()
