"""What Python costs for each token: a stream of one answer, with the model's step left out.

    .venv/bin/python benchmarks/between_steps.py

The C library's step is replaced by one that only names a token, so what is left is the engine, the
Generator and the thread that reads the answer. Figures are seconds of CPU, not of the clock: they
bear other work on the machine. The process's figure is the larger one by the reading thread, and by
any thread pool that an operation woke: a pool that spins takes a core from the next step.
"""

import ctypes
import itertools
import os
import runpy
import statistics
import tempfile
import time
from pathlib import Path

from random_models import random_checkpoint

from ttdirect.engine import Engine
from ttdirect.engine.loop import Loop
from ttdirect.generator.native import library
from ttdirect.script.render import ScriptSettings, render

TOKENS, ROUNDS = 1000, 5
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"


class EngineTime:
    """Counts the CPU time of steps on the engine's own thread."""

    def __init__(self) -> None:
        self.nanoseconds = 0
        run = Loop._run  # noqa: SLF001

        def timed(loop: Loop, *step: object) -> None:
            began = time.thread_time_ns()
            run(loop, *step)
            self.nanoseconds += time.thread_time_ns() - began

        Loop._run = timed  # noqa: SLF001


def leave_out_the_model(vocab_size: int) -> None:
    """Let each step name the next one of a few ordinary tokens, and do nothing else."""
    tokens = itertools.cycle(range(300, min(3000, vocab_size)))

    def name_a_token(_crew: library.Crew, step: library.CStep) -> None:
        for row in range(step.rows - step.first_logits):
            at = step.logits + 4 * vocab_size * row
            ctypes.memset(at, 0, 4 * vocab_size)
            ctypes.c_float.from_address(at + 4 * next(tokens)).value = 1e9

    library.Crew.run = name_a_token


def loaded_engine(model: Path) -> Engine:
    """The engine of the user's script, ready."""
    os.environ["HF_MODEL"] = str(model)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(render(ScriptSettings(device="cpu", model=str(model))))
        engine = runpy.run_path(str(script))["engine"]
    engine.start()
    while not engine.was_ready:
        time.sleep(0.1)
    return engine


def main() -> None:
    """Print the medians."""
    engine = loaded_engine(random_checkpoint("m135", CACHE))
    leave_out_the_model(engine.loaded_model.vocab_size)
    counted = EngineTime()
    for_engine, for_process = [], []
    for _ in range(ROUNDS):
        counted.nanoseconds, began = 0, time.process_time()
        answer = engine.ask("hello", max_tokens=TOKENS, stream=True)
        for _piece in answer.pieces():
            pass
        made = answer.figures.tokens_generated
        for_process.append((time.process_time() - began) * 1e3 / made)
        for_engine.append(counted.nanoseconds / 1e6 / made)
    print(f"engine's thread  {statistics.median(for_engine):.3f} ms a token")
    print(f"whole process    {statistics.median(for_process):.3f} ms a token")
    engine.drain(0)
    engine.join()


if __name__ == "__main__":
    main()
