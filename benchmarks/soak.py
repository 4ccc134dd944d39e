"""Whether a server under attack keeps everything that it has: threads, files, memory, blocks.

    .venv/bin/python benchmarks/soak.py --minutes 3

Serves the shipped model with the user's own script. Clients ask all kinds of things on all routes:
long and short, streamed or whole, wrong, read slowly, left in the middle. Another process asks for
/health every 50 ms. Then a crowd comes that gives up after half a second. What the worker process
holds before, after both, and what /health took are printed; the exit code is 1 when a limit is
broken.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import random
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from ttdirect.script.render import ScriptSettings, render

PROMPTS = ("What is machine learning?", "Write a creative story", "The old sailor said " * 150)
MISTAKES = (
    b"{",
    b"[1, 2]",
    b'{"prompt": 7, "messages": 7}',
    b'{"prompt": "hi", "messages": [], "max_tokens": -1}',
    b'{"prompt": "\\ud800", "messages": [{"role": "user", "content": "\\ud800"}]}',
)
MANNERS = {"reads": 6, "reads slowly": 1, "leaves at once": 1, "leaves in the middle": 2}
"""How clients behave, and how often."""

CROWD, CROWD_SECONDS = 200, 0.5
HEALTH_SECONDS = 0.05
SETTLING_SECONDS = 8.0
"""Connections that are kept alive are closed after 5 s without a request."""

POOL = 32 + 64 + 8
"""Threads that the script's server starts as they are needed: batch, queue, and for /health."""

HEALTH_LIMIT_MS = 100.0
NEXT_ANSWER_LIMIT_SECONDS = 5.0
RSS_LIMIT_MIB = 32.0
"""What allocators may keep more than before; a leak would grow with every request."""


@dataclass(frozen=True)
class Holding:
    """What the worker process holds at one moment."""

    threads: int
    files: int
    rss_mib: float
    free_blocks: int
    running: int
    queued: int


class Server:
    """The user's script on the shipped model, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        script = folder / "tt-api-server-direct.py"
        script.write_text(render(ScriptSettings(device="cpu", model="demo")))
        self.log = folder / "log"
        env = {name: it for name, it in os.environ.items() if not name.startswith("TTDIRECT_")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(script), "--port", "0"],
                stderr=log,
                env=env | {"HF_MODEL": "demo", "HOME": str(folder)},
            )
        self.port = self._wait_ready()
        pid = self.process.pid
        self.worker = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def holding(self) -> Holding:
        process = Path(f"/proc/{self.worker}")
        status = (process / "status").read_text()
        metrics = fetch(self.port, "GET", "/metrics")[1].decode()

        def sample(name: str) -> float:
            return float(re.search(rf"(?m)^ttdirect:{name}{{.*}} (\S+)$", metrics)[1])

        blocks = int(re.search(r'num_gpu_blocks="(\d+)"', metrics)[1]) - 1  # one is for scratch
        return Holding(
            threads=int(re.search(r"Threads:\s+(\d+)", status)[1]),
            files=len(list((process / "fd").iterdir())),
            rss_mib=round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1),
            free_blocks=round(blocks * (1 - sample("kv_cache_usage_perc"))),
            running=int(sample("num_requests_running")),
            queued=int(sample("num_requests_waiting")),
        )

    def settled(self) -> Holding:
        """What it holds when nobody has asked for a while."""
        time.sleep(SETTLING_SECONDS)
        return self.holding()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def _wait_ready(self) -> int:
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            if ready := re.search(r"Server ready on \S+:(\d+)", self.log.read_text()):
                return int(ready[1])
            time.sleep(0.1)
        raise SystemExit(f"the server did not start:\n{self.log.read_text()}")


def fetch(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    with contextlib.closing(begin(port, method, path, body)) as connection:
        response = connection.getresponse()
        return response.status, response.read()


def begin(port: int, method: str, path: str, body: bytes | None) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    return connection


def question(dice: random.Random) -> tuple[str, bytes]:
    """A path, and a body that is right for it."""
    fields: dict = {
        "max_tokens": dice.choice((1, 16, 64, 256)),
        "temperature": dice.choice((0.0, 0.9)),
        "seed": dice.randrange(2**32),
    }
    prompt = f"{dice.choice(PROMPTS)} {dice.randrange(50)}"
    path = dice.choice(("/chat", "/chat/stream", "/v1/completions", "/v1/chat/completions"))
    if path == "/v1/chat/completions":
        fields["messages"] = [{"role": "user", "content": prompt}]
    else:
        fields["prompt"] = prompt
    if path.startswith("/v1"):
        fields |= {"stream": dice.random() < 0.5, "n": dice.choice((1, 1, 2))}
    return path, json.dumps(fields).encode()


def ask(port: int, dice: random.Random) -> str:
    """One request of any kind, and how it ended."""
    path, body = question(dice)
    is_mistake = dice.random() < 0.15
    if is_mistake:
        body = dice.choice(MISTAKES)
    (manner,) = dice.choices(list(MANNERS), MANNERS.values())
    try:
        connection = begin(port, "POST", path, body)
        with contextlib.closing(connection):
            if manner == "leaves at once":
                time.sleep(dice.random() * 0.2)
                reset(connection.sock)
                return manner
            response = connection.getresponse()
            if manner == "leaves in the middle":
                response.read(dice.randrange(200))
                if connection.sock:
                    reset(connection.sock)
                return manner
            received = read_slowly(response) if manner == "reads slowly" else b""
            received += response.read()
    except (OSError, http.client.HTTPException) as error:
        return f"WRONG: {type(error).__name__} on {path}"
    expected = 400 if is_mistake else 200
    if response.status == 503 and b"wait" in received:
        return "503, the queue is full"
    if response.status != expected or (not is_mistake and b'"error"' in received):
        return f"WRONG: {response.status} on {path}, not {expected}: {received[:200]!r}"
    return f"{response.status}, {manner}"


def read_slowly(response: http.client.HTTPResponse) -> bytes:
    """The beginning of an answer, in small pieces for up to three seconds."""
    received = b""
    for _ in range(60):
        received += response.read(100)
        if response.isclosed():
            break
        time.sleep(0.05)
    return received


def reset(connection: socket.socket) -> None:
    """Close as a client does that crashed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def attack(port: int, clients: int, seconds: float, seed: int) -> Counter:
    """Requests of all kinds for some time; how many ended in which way."""
    until = time.monotonic() + seconds

    def client(number: int) -> Counter:
        dice, outcomes = random.Random(1000 * seed + number), Counter()
        while time.monotonic() < until:
            outcomes[ask(port, dice)] += 1
        return outcomes

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(client, range(clients)), Counter())


def crowd(port: int) -> float:
    """Clients that give up; returns the seconds until the next one is answered."""
    body = json.dumps({"prompt": "Write a creative story", "max_tokens": 2048}).encode()
    all_here = threading.Barrier(CROWD)

    def client(_: int) -> None:
        all_here.wait()
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CROWD_SECONDS)
            with contextlib.closing(connection):
                connection.request("POST", "/chat", body, {"Content-Type": "application/json"})
                connection.getresponse().read()

    with ThreadPoolExecutor(CROWD) as pool:
        list(pool.map(client, range(CROWD)))
    begun = time.monotonic()
    while fetch(port, "POST", "/chat", b'{"prompt": "hi", "max_tokens": 1}')[0] != 200:
        time.sleep(0.01)
    return time.monotonic() - begun


def watch_health(port: int, stop: Event, taken: Connection) -> None:
    """Ask for /health again and again, in a process of its own; milliseconds go to `taken`."""
    milliseconds = []
    while not stop.wait(HEALTH_SECONDS):
        begun = time.perf_counter()
        with contextlib.suppress(OSError, http.client.HTTPException):
            fetch(port, "GET", "/health")
        milliseconds.append(1000 * (time.perf_counter() - begun))
    taken.send(milliseconds)


@contextlib.contextmanager
def health_watched(port: int) -> Iterator[Callable[[], list[float]]]:
    """While this is open /health is asked for; the function it gives ends that with the times."""
    processes = multiprocessing.get_context("spawn")
    stop, (here, there) = processes.Event(), processes.Pipe()
    watcher = processes.Process(target=watch_health, args=(port, stop, there), daemon=True)
    watcher.start()

    def end() -> list[float]:
        stop.set()
        milliseconds = here.recv()
        watcher.join()
        return milliseconds

    try:
        yield end
    finally:
        if watcher.is_alive():
            watcher.terminate()


def broken_limits(before: Holding, after: Holding, when: str) -> list[str]:
    """Sentences about what was not given back."""
    broken = [f"open files grew {when}"] if after.files > before.files + 2 else []
    if after.rss_mib > before.rss_mib + RSS_LIMIT_MIB:
        broken.append(f"memory grew by more than {RSS_LIMIT_MIB:g} MiB {when}")
    if after.running or after.queued or after.free_blocks != before.free_blocks:
        broken.append(f"requests or blocks were left {when}")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--clients", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            idle = server.holding()
            # So that what is made once, on first use, is there before anything is compared.
            crowd(server.port)
            attack(server.port, options.clients, 15.0, seed=1)
            before = server.settled()
            with health_watched(server.port) as end:
                outcomes = attack(server.port, options.clients, 60 * options.minutes, seed=2)
                taken = sorted(end())
            after = server.settled()
            next_answer = crowd(server.port)
            at_end = server.settled()
        finally:
            code = server.stop()

    print(f"{os.cpu_count()} cores, {options.clients} clients, {options.minutes:g} minutes\n")
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:7}  {outcome}")
    print(f"{outcomes.total():7}  requests in all\n")
    p50, p99 = statistics.median(taken), taken[int(len(taken) * 0.99)]
    print(
        f"/health, {len(taken)} times: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {taken[-1]:.1f} ms"
    )
    print(f"after {CROWD} clients that gave up, the next answer took {next_answer:.2f} s\n")
    columns = [asdict(holding) for holding in (idle, before, after, at_end)]
    print(f"{'':12}  {'idle':>8}  {'before':>8}  {'after':>8}  {'crowd':>8}")
    for name in columns[0]:
        print(f"{name:12}  " + "  ".join(f"{column[name]:8}" for column in columns))

    broken = [outcome for outcome in outcomes if outcome.startswith("WRONG")]
    if at_end.threads > idle.threads + POOL:
        broken.append(f"there are more threads than the {POOL} of the pool and those of before")
    broken += broken_limits(before, after, "in the attack")
    broken += broken_limits(before, at_end, "with the crowd")
    if p99 > HEALTH_LIMIT_MS:
        broken.append(f"p99 of /health is above {HEALTH_LIMIT_MS:g} ms")
    if next_answer > NEXT_ANSWER_LIMIT_SECONDS:
        broken.append(f"the next answer took more than {NEXT_ANSWER_LIMIT_SECONDS:g} s")
    if code:
        broken.append(f"the server ended with {code}")
    print("\n" + ("\n".join(f"BROKEN  {what}" for what in broken) or "All limits are kept."))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
