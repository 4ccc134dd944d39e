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
from types import ModuleType

import torch
from random_models import random_checkpoint

from ttdirect.engine import Engine, Options, Request, State
from ttdirect.engine.sequence import Finished, Sequence
from ttdirect.script.render import ScriptSettings, render

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
OTHERS, LONG = 4, 1500
PIECES = (256, 512, 2048)  # tokens; the last is all that the context holds
LIMITS = {"MAX_BATCH_SIZE": 8, "MAX_SEQ_LEN": 2048, "CACHE_TOKENS": 16_384}


def user_script(model: str) -> ModuleType:
    """The script that `ttdirect create` writes, as a module; it serves only as the main program."""
    os.environ["HF_MODEL"] = model  # what the user may have there would go first
    script = ModuleType("tt_api_server_direct")
    exec(render(ScriptSettings("cpu", model, limits=LIMITS)), script.__dict__)
    return script


def ready(script: ModuleType, chunk: int) -> Engine:
    engine = Engine(
        script.initialize_model,
        max_batch_size=script.MAX_BATCH_SIZE,
        max_seq_len=script.MAX_SEQ_LEN,
        block_size=script.BLOCK_SIZE,
        num_blocks=script.NUM_BLOCKS,
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
    script = user_script(str(random_checkpoint("m135", CACHE)))
    engines = {chunk: ready(script, chunk) for chunk in PIECES}
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
