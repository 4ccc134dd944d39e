"""Our server beside its peers on the same machine and the same weights, at the HTTP client.

    .venv/bin/python benchmarks/peers.py --precision int8 int4 --output table.md
    .venv/bin/python benchmarks/peers.py --models m135 --peers Q8_0 --users 1 --rounds 3

Peers are llama.cpp's server in several quantisations and `transformers serve` with continuous
batching; what is missing is fetched and built first. All servers of a case run at the same time
and are asked in turns, so that a machine that changes its speed changes it for all of them.
Figures are medians over the rounds. Keep the machine free of other work: a round that others
disturbed is repeated, and the table says where that did not help.
"""

import argparse
import contextlib
import itertools
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from client import Prompts, ask, ask_together
from machine import cpu_name, read_bandwidth, undisturbed
from obtain import LLAMA_TYPES, LlamaCpp, transformers_program
from random_models import SHAPES, random_checkpoint
from servers import Server, llama_server, served, transformers_server

from ttdirect.generator.precision import float_precision

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
TRANSFORMERS = "transformers"
PROMPT, LONG_PROMPT, NEW_TOKENS = 118, 1024, 48
ALONE_SLOT, CROWD_SLOT = 2048, 256
"""Tokens that a slot of llama.cpp can hold; a crowd asks no long prompts."""

DECODE, SUM = "decode tokens/s", "tokens/s in sum"
TTFT, LONG_TTFT = f"TTFT ms, {PROMPT} tokens", f"TTFT ms, {LONG_PROMPT:,} tokens"

FLOAT = float_precision().compute
"""What bfloat16 weights are computed in here: float32 where the CPU lacks the instructions."""

WEIGHT_BYTES = {"fp32": 4.0, "bf16": FLOAT.itemsize, "int8": 8.5 / 8, "int4": 4.5 / 8}
"""Bytes that are read for one weight of ours, scales included."""


@dataclass(frozen=True)
class Bar:
    """How many times as fast a precision of ours has to be as a peer."""

    model: str
    users: int
    figure: str
    precision: str
    peer: str
    factor: float


BARS = [
    Bar("m1b", 1, DECODE, "int8", "llama.cpp Q8_0", 1.35),
    Bar("m1b", 8, SUM, "int8", "llama.cpp Q8_0", 3.5),
    Bar("m1b", 8, SUM, "int8", TRANSFORMERS, 2.0),
    Bar("m1b", 32, SUM, "int8", "llama.cpp Q8_0", 5.0),
    Bar("m1b", 1, TTFT, "int8", "llama.cpp Q8_0", 6.0),
    Bar("m1b", 1, LONG_TTFT, "int8", "llama.cpp Q8_0", 6.0),
    Bar("m135", 1, DECODE, "int8", "llama.cpp Q8_0", 1.2),
    Bar("m1b", 1, DECODE, "int4", "llama.cpp Q4_0", 1.0),
]


@dataclass(frozen=True)
class Contestant:
    """A running server, and the bytes of weights that a token of it reads."""

    name: str
    server: Server
    weight_bytes: float


@dataclass(frozen=True)
class Figures:
    """The medians of one server in one case."""

    name: str
    medians: dict[str, float]
    weight_bytes: float
    disturbed: int


@dataclass(frozen=True)
class Case:
    """What was measured of all servers for one model and one number of users."""

    model: str
    users: int
    figures: list[Figures]

    def ratio(self, figure: str, ours: str, peer: str) -> float | None:
        """How many times as fast `ours` is; None if one of the two was not measured."""
        found = {it.name: it.medians[figure] for it in self.figures if figure in it.medians}
        if ours not in found or peer not in found:
            return None
        ratio = found[ours] / found[peer]
        return 1 / ratio if figure in (TTFT, LONG_TTFT) else ratio


@contextlib.contextmanager
def ours(checkpoint: Path, precision: str) -> Iterator[Contestant]:
    """The user's script, as `ttdirect create` writes it."""
    with served(str(checkpoint), TTDIRECT_PRECISION=precision) as url:
        fields = {"ignore_eos": True, "stream_options": {"include_usage": True}}
        read = WEIGHT_BYTES[precision] * weights_of(checkpoint)
        yield Contestant(our_name(precision), Server(url, fields), read)


def our_name(precision: str) -> str:
    return f"ttdirect {precision}"


def weights_of(checkpoint: Path) -> int:
    """Weights that one token needs: all of them, the tied embeddings once."""
    return (checkpoint / "model.safetensors").stat().st_size // 2  # it is stored in bfloat16


@contextlib.contextmanager
def peer(name: str, checkpoint: Path, users: int) -> Iterator[Contestant]:
    if name == TRANSFORMERS:
        program = transformers_program(CACHE / "transformers")
        dtype = str(FLOAT).removeprefix("torch.")
        with transformers_server(program, checkpoint, dtype) as server:
            yield Contestant(name, server, FLOAT.itemsize * weights_of(checkpoint))
        return
    llama = LlamaCpp(CACHE / "llama.cpp")
    model = llama.model(checkpoint, name)
    slot = ALONE_SLOT if users == 1 else CROWD_SLOT
    with llama_server(llama.server, model, users, slot) as server:
        yield Contestant(f"llama.cpp {name}", server, llama.weight_bytes(model))


def measure(server: Server, users: int, prompts: Prompts) -> dict[str, float]:
    """One round: what `users` clients see, and for one user the long prompt, too."""
    texts = [prompts.make(PROMPT) for _ in range(users)]
    crowd = ask_together(server.url, texts, NEW_TOKENS, server.fields)
    if any(answer.prompt_tokens != PROMPT for answer in crowd.answers):
        raise SystemExit(f"{server.url} cuts a prompt into other tokens than the rest")
    figures = {
        SUM: crowd.speed,
        DECODE: statistics.median(answer.decode_speed for answer in crowd.answers),
        TTFT: 1000 * statistics.median(answer.ttft for answer in crowd.answers),
    }
    if users == 1:
        answer = ask(server.url, prompts.make(LONG_PROMPT), 2, server.fields)
        figures[LONG_TTFT] = 1000 * answer.ttft
    return figures


def run_case(checkpoint: Path, users: int, options: argparse.Namespace, prompts: Prompts) -> Case:
    """Start all servers, ask them in turns, and stop them."""
    with contextlib.ExitStack() as stack:
        contestants = [
            *(stack.enter_context(ours(checkpoint, it)) for it in options.precision),
            *(stack.enter_context(peer(it, checkpoint, users)) for it in options.peers),
        ]
        for it in contestants:  # a warm-up
            texts = [prompts.make(PROMPT // 4) for _ in range(users)]
            ask_together(it.server.url, texts, NEW_TOKENS // 4, it.server.fields)
        rounds: dict[str, list[dict[str, float]]] = {it.name: [] for it in contestants}
        disturbed = dict.fromkeys(rounds, 0)
        for number in range(options.rounds):
            for it in contestants:
                figures, calm = undisturbed(lambda it=it: measure(it.server, users, prompts))
                rounds[it.name].append(figures)
                disturbed[it.name] += not calm
            print(f"{checkpoint.name}, {users} users: round {number + 1}", file=sys.stderr)
        return Case(
            checkpoint.name,
            users,
            [
                Figures(it.name, medians(rounds[it.name]), it.weight_bytes, disturbed[it.name])
                for it in contestants
            ],
        )


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(it[name] for it in rounds) for name in rounds[0]}


def table(cases: list[Case], precisions: list[str], bandwidth: float) -> list[str]:
    """All figures; a column for each precision of ours says how many times as fast it is."""
    names = [our_name(it) for it in precisions]
    ratios = [f"{name}: times as fast" for name in names]
    lines = header("model", "users", "figure", "server", "median", *ratios, "memory limit")
    for case in cases:
        for figure in (DECODE, SUM, TTFT, LONG_TTFT):
            for it in case.figures:
                if figure not in it.medians:
                    continue
                median = it.medians[figure]
                lines.append(
                    row(
                        case.model,
                        case.users,
                        figure,
                        it.name + ("*" if it.disturbed else ""),
                        f"{median:,.1f}",
                        *(f"{case.ratio(figure, name, it.name):.2f}" for name in names),
                        f"{median * it.weight_bytes / bandwidth:.0%}" if figure == DECODE else "",
                    )
                )
    return lines


def bars(cases: list[Case]) -> list[str]:
    """The bars that these cases can judge."""
    lines = []
    for bar, case in itertools.product(BARS, cases):
        if (case.model, case.users) != (bar.model, bar.users):
            continue
        ratio = case.ratio(bar.figure, our_name(bar.precision), bar.peer)
        if ratio is not None:
            pair = f"{bar.precision} / {bar.peer}"
            verdict = "met" if ratio >= bar.factor else "missed"
            if any(it.disturbed for it in case.figures):
                verdict = "cannot be told: disturbed"
            lines.append(
                row(bar.model, bar.users, bar.figure, pair, bar.factor, f"{ratio:.2f}", verdict)
            )
    if not lines:
        return []
    return [
        "",
        *header("model", "users", "figure", "ours / peer", "bar", "ratio", "verdict"),
        *lines,
    ]


def header(*names: str) -> list[str]:
    return [row(*names), "|" + "---|" * len(names)]


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["m135", "m1b"])
    parser.add_argument("--users", nargs="+", type=int, default=[1, 8, 32])
    every = [*LLAMA_TYPES, TRANSFORMERS]
    parser.add_argument("--peers", nargs="*", choices=every, default=every)
    parser.add_argument("--precision", nargs="+", choices=WEIGHT_BYTES, default=["int8"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="a file for the tables, too")
    options = parser.parse_args()
    bandwidth = read_bandwidth()
    prompts = Prompts(time.time_ns())
    cases = [
        run_case(random_checkpoint(model, CACHE), users, options, prompts)
        for model in options.models
        for users in options.users
    ]
    where = f"{os.cpu_count()} cores of {cpu_name()}, memory read at {bandwidth / 1e9:.1f} GB/s"
    lines = [
        f"{where}. {PROMPT} tokens of prompt, {NEW_TOKENS} new ones, {options.rounds} rounds.",
        "",
        *table(cases, options.precision, bandwidth),
        *bars(cases),
    ]
    if any(it.disturbed for case in cases for it in case.figures):
        lines += ["", "* other processes used the CPU in some of the rounds."]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
