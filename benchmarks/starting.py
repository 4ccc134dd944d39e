"""How long a server takes to be ready, and how much memory it has had by then.

    .venv/bin/python benchmarks/starting.py --models demo m1b --precisions int8 int4 --rounds 3

Each round starts `ttdirect serve` twice with an empty cache for packed weights: the first start
reads the checkpoint and quantises, the second one reads what the first one kept. Seconds are those
from the start of the process to the first `/health` that says healthy. Beside them is the time that
it takes to read the weight files, and nothing else.

The peak is the most memory that a process ever has (VmHWM) which loads the model as the user's
script does, less what it has when it has imported the Generator and loaded nothing.
"""

import argparse
import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from random_models import SHAPES, random_checkpoint
from servers import free_port

from ttdirect.demo_model import CHECKPOINT
from ttdirect.generator import packing, weight_cache

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
POLL_SECONDS = 0.02
START_SECONDS = 300
STOP_SECONDS = 60
KEEP_SECONDS = 60
PIECE_BYTES = 16 << 20
MIB = 1 << 20

LOAD = """
import json
from pathlib import Path
from ttdirect import generator as ttnn

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))

imported = peak()
args, *loaded = ttnn.create_tt_model(
    ttnn.open_mesh_device(),
    instruct=True,
    max_batch_size=32,
    optimizations=None,
    max_seq_len=2048,
    paged_attention_config=ttnn.PagedAttentionConfig(block_size=32, max_num_blocks=1025),
)
print(json.dumps([args.weight_bytes + args.kv_cache_bytes, peak() - imported]))
"""


def read_seconds(folder: Path) -> float:
    """Seconds to read a checkpoint's weights into one small buffer, which is then overwritten."""
    buffer = bytearray(PIECE_BYTES)
    begun = time.perf_counter()
    for path in folder.glob("*.safetensors"):
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    return time.perf_counter() - begun


def load_bytes(environment: dict[str, str]) -> tuple[int, int]:
    """What a loaded model holds (weights and KV cache), and the most that loading it took."""
    command = [sys.executable, "-c", LOAD]
    environment = os.environ | environment
    loaded = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    held, peak = json.loads(loaded.stdout.splitlines()[-1])
    return held, peak


def health(port: int) -> dict:
    """What `/health` answers, empty as long as nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())
    except OSError:
        return {}
    finally:
        connection.close()


@contextlib.contextmanager
def started(model: str, environment: dict[str, str]) -> Iterator[float]:
    """A server that is ready; yields the seconds that this took."""
    port = free_port()
    command = [sys.executable, "-m", "ttdirect", "serve", "--device", "cpu", "--port", str(port)]
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, "--model", model], env=os.environ | environment, stdout=log, stderr=log
        )
        try:
            while health(port).get("status") != "healthy":
                if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                    log.seek(0)
                    raise SystemExit(f"the server did not start:\n{log.read()[-2000:]}")
                time.sleep(POLL_SECONDS)
            yield time.perf_counter() - begun
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def wait_until_kept(cache: Path) -> None:
    until = time.monotonic() + packing.KEEP_AFTER_SECONDS + KEEP_SECONDS
    while not list(cache.glob("ttdirect/weights/*/contents.json")):
        if time.monotonic() > until:
            raise SystemExit("the server has not kept its weights")
        time.sleep(POLL_SECONDS)
    os.sync()  # else the second start shares the disk with what is still being written


def measure(model: str, environment: dict[str, str], *, is_kept: bool) -> tuple[float, float]:
    """Seconds of a first start and of a second one."""
    with tempfile.TemporaryDirectory(dir=CACHE) as cache:
        environment = environment | {"XDG_CACHE_HOME": cache}
        with started(model, environment) as first:
            if is_kept:
                wait_until_kept(Path(cache))
        with started(model, environment) as second:
            return first, second


def row(name: str, precision: str, rounds: int) -> str:
    """A line of the table: medians."""
    folder = CHECKPOINT if name == "demo" else random_checkpoint(name, CACHE)
    model = "demo" if name == "demo" else str(folder)
    environment = {"TTDIRECT_PRECISION": precision, "HF_MODEL": model}
    held, peak = load_bytes(environment | {weight_cache.SETTING: "off"})
    is_kept = name == "m1b" and precision.startswith("int")  # the others are too small, or floats
    reads: list[float] = []
    starts: list[tuple[float, float]] = []
    for _ in range(rounds):
        reads.append(read_seconds(folder))
        starts.append(measure(model, environment, is_kept=is_kept))
    times = [reads, *zip(*starts, strict=True)]
    figures = " | ".join(f"{statistics.median(it):.2f}" for it in times)
    sizes = f"{held / MIB:.0f} | {peak / MIB:.0f} | {peak / held:.2f}"
    return f"| {name} | {precision} | {figures} | {sizes} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["demo", "m1b"], choices=["demo", *SHAPES])
    parser.add_argument("--precisions", nargs="+", default=["int8"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores; seconds and MiB\n")
    print(
        "| model | precision | reading the file | first start | second start "
        "| weights and KV cache | peak | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in options.models:
        for precision in options.precisions:
            print(row(name, precision, options.rounds), flush=True)


if __name__ == "__main__":
    main()
