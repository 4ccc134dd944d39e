"""`ttdirect bench`: measure how fast a server answers, alone and under load."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import functools
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any

import ttdirect
from ttdirect.cli import server_options
from ttdirect.cli.errors import DID_NOT_WORK, INTERRUPTED, CommandError
from ttdirect.cli.terminal import StatusLine, neutralise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ttdirect.cli.benchmark.figures import Figures
    from ttdirect.cli.benchmark.load import Case, Load
    from ttdirect.cli.benchmark.prompts import PromptMaker
    from ttdirect.cli.connection import Connection
    from ttdirect.cli.parser import Commands
    from ttdirect.hardware.published import Figure

_REQUESTS_PER_CLIENT = 4


def add_parser(commands: Commands) -> None:
    """Add the subcommand `bench`."""
    parser = commands.add(
        "bench",
        summary="measure how fast a server answers",
        description="Ask a running server many questions and print how fast the answers come.\n"
        "Any server with OpenAI's /v1 routes will do. Prompts are made to measure and\n"
        "no two begin alike; answers are streamed and greedy. The time to the first token ends\n"
        "with the first event that has text. Ctrl+C prints what was measured until then.",
        examples=(
            "ttdirect bench",
            "ttdirect bench --concurrency 1,8,32 --prompt-tokens 32,512 --max-tokens 128",
            "ttdirect bench --seconds 30 --ignore-eos --json > figures.json",
            "ttdirect bench --url http://127.0.0.1:8000/v1 --model my-model",
            "ttdirect bench --compare http://127.0.0.1:8000/v1 --concurrency 1,8,32",
        ),
    )
    server_options.add_server_options(parser)
    parser.add_argument(
        "--compare",
        metavar="URL",
        help="ask a second server the same, in turns, and print both side by side",
    )
    parser.add_argument(
        "--compare-model", metavar="NAME", help="which model of the second server (its only one)"
    )
    parser.add_argument(
        "--compare-api-key-env",
        metavar="NAME",
        help="the environment variable that holds the second server's API key (default: no key)",
    )
    parser.add_argument(
        "--concurrency",
        type=_counts,
        default=[1],
        metavar="N,...",
        help="clients that ask at the same time, one case for each number (default: 1)",
    )
    parser.add_argument(
        "--prompt-tokens",
        type=_counts,
        default=[32],
        metavar="N,...",
        help="tokens of a prompt with its chat template, one case for each number (default: 32)",
    )
    parser.add_argument(
        "--max-tokens",
        type=_count,
        default=64,
        metavar="N",
        help="the most tokens an answer may have (default: 64)",
    )
    parser.add_argument(
        "--completions",
        action="store_true",
        help="ask /v1/completions, without a chat template, instead of /v1/chat/completions",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--requests",
        type=_count,
        metavar="N",
        help=f"requests in each case (default: {_REQUESTS_PER_CLIENT} for each client)",
    )
    length.add_argument(
        "--seconds",
        type=_count,
        metavar="S",
        help="send requests for so long in each case, instead of a number of them",
    )
    parser.add_argument(
        "--warmup",
        type=_count_or_none,
        default=1,
        metavar="N",
        help="requests of each client before a case that do not count (default: 1)",
    )
    parser.add_argument(
        "--shared-prefix",
        type=_count_or_none,
        default=0,
        metavar="N",
        help="let all prompts begin with the same N tokens, to measure a prefix cache (default: 0)",
    )
    parser.add_argument(
        "--ignore-eos",
        action="store_true",
        help="ask for answers of full length, for servers that know 'ignore_eos', as vLLM does",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="make the same prompts again (default: others each time, which no cache knows)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document instead of the tables"
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="do not wait while the server loads its model"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure every case and print the figures.

    Returns:
        0; 1 if a request failed; 130 after Ctrl+C.

    Raises:
        CommandError: If the server cannot be measured at all.
    """
    # Imported here because they bring requests, which would slow down `--help`.
    from ttdirect.cli.benchmark.prompts import PromptMaker  # noqa: PLC0415
    from ttdirect.cli.connection import Connection  # noqa: PLC0415

    begun = dt.datetime.now(dt.timezone.utc)
    seed = random.SystemRandom().randrange(2**31) if options.seed is None else options.seed

    def bench_of(url: str, model: str | None, key: str | None) -> _Bench:
        prompts = PromptMaker(seed, options.shared_prefix)  # learns how its own server counts
        return _Bench(options, model, functools.partial(Connection, url, api_key=key), prompts)

    key = server_options.api_key(options)
    benches = [bench_of(options.url or server_options.DEFAULT_URL, options.model, key)]
    if options.compare:
        named = options.compare_api_key_env
        other_key = server_options.read_key(named) if named else None
        benches.append(bench_of(options.compare, options.compare_model, other_key))
    for bench in benches:
        bench.prepare()
    # In turns, so that both meet the same state of the computer and of the network.
    interrupted = any(bench.measure(case) for case in _cases(options) for bench in benches)
    _print_report(benches, options, _Run(begun, seed, interrupted))
    if interrupted:
        return INTERRUPTED
    failed = any(case.failures for bench in benches for case in bench.figures)
    return DID_NOT_WORK if failed else 0


@dataclasses.dataclass(frozen=True)
class _Run:
    """One run of the command: when it began, what its prompts come from, and how it ended."""

    begun: dt.datetime
    seed: int
    interrupted: bool


class _Bench:
    """One server, and its figures in each case."""

    def __init__(
        self,
        options: argparse.Namespace,
        model: str | None,
        connect: Callable[[], Connection],
        prompts: PromptMaker,
    ) -> None:
        self.figures: list[Figures] = []
        self.published: list[Figure] = []
        self.url = ""
        self.model = model or ""
        self._options = options
        self._connect = connect
        self._prompts = prompts

    def prepare(self) -> None:
        """Find the server and learn how it counts tokens.

        Raises:
            CommandError: If it is not there, or does not answer.
        """
        from ttdirect.cli.benchmark.sample import ask  # noqa: PLC0415
        from ttdirect.cli.client import OpenAIServer  # noqa: PLC0415
        from ttdirect.cli.connection import RefusedError  # noqa: PLC0415
        from ttdirect.cli.discovery import open_server  # noqa: PLC0415
        from ttdirect.cli.readiness import read_health  # noqa: PLC0415
        from ttdirect.hardware.published import published_for  # noqa: PLC0415

        with contextlib.closing(self._connect()) as connection:
            server = open_server(
                connection, model=self.model or None, wait=not self._options.no_wait
            )
            if not isinstance(server, OpenAIServer):
                raise CommandError(
                    f"the server on {connection.url} has no /v1 routes",
                    fix="write a new script with: ttdirect create --force; or: ttdirect serve",
                )
            route = "completions" if self._options.completions else "chat/completions"
            self.url, self.model = f"{server.base}/{route}", server.model
            if health := read_health(connection, server.base.removesuffix("/v1")):
                self.published = published_for(server.model, health.device)
            print(f"{neutralise(server.model)} answers on {connection.url}", file=sys.stderr)

            def count(prompt: str) -> int | None:
                body = {**self._body(prompt), "max_tokens": min(8, self._options.max_tokens)}
                try:
                    sample = ask(connection, self.url, body, time.perf_counter, lambda: False)
                except RefusedError as error:
                    if error.status != 400:
                        raise
                    return None  # too long for this server, most likely
                return sample and sample.prompt_tokens

            if not self._prompts.calibrate(count):
                print(
                    "Its way to count is not known: a word is taken for a token.", file=sys.stderr
                )

    def measure(self, case: Case) -> bool:
        """Run a case and return whether the user interrupted it."""
        from ttdirect.cli.benchmark.figures import summarise  # noqa: PLC0415
        from ttdirect.cli.benchmark.load import Load  # noqa: PLC0415

        load = Load(case, self._connect, self.url, functools.partial(self._numbered_body, case))
        interrupted = False
        try:
            self._run(case, load)
        except KeyboardInterrupt:
            interrupted = True
        self.figures.append(summarise(case, load.outcome))
        return interrupted

    def _run(self, case: Case, load: Load) -> None:
        noun = "client" if case.clients == 1 else "clients"
        title = f"{case.clients} {noun}, prompts of {case.prompt_tokens} tokens"
        line = StatusLine()

        def tick() -> None:
            # Elsewhere than on a terminal, every change would be a line of its own.
            if sys.stderr.isatty():
                line.show(f"{title}: {len(load.outcome.samples)} answers")

        try:
            load.run(tick)
        finally:
            line.clear()
            outcome = load.outcome
            print(
                f"{title}: {len(outcome.samples)} answers in {outcome.seconds:.1f} s",
                file=sys.stderr,
            )

    def _numbered_body(self, case: Case, number: int) -> dict[str, Any]:
        name = f"{case.clients}/{case.prompt_tokens}/{number}"
        return self._body(self._prompts.make(case.prompt_tokens, name))

    def _body(self, prompt: str) -> dict[str, Any]:
        extra = {"ignore_eos": True} if self._options.ignore_eos else {}
        asked = (
            {"prompt": prompt}
            if self._options.completions
            else {"messages": [{"role": "user", "content": prompt}]}
        )
        return {
            "model": self.model,
            **asked,
            "max_tokens": self._options.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **extra,
        }


def _cases(options: argparse.Namespace) -> list[Case]:
    from ttdirect.cli.benchmark.load import Case  # noqa: PLC0415

    return [
        Case(
            clients=clients,
            prompt_tokens=tokens,
            requests=None
            if options.seconds
            else options.requests or clients * _REQUESTS_PER_CLIENT,
            seconds=options.seconds,
            warmup=options.warmup,
        )
        for tokens in options.prompt_tokens
        for clients in options.concurrency
    ]


def _print_report(benches: Sequence[_Bench], options: argparse.Namespace, this: _Run) -> None:
    """Print the figures on stdout."""
    from ttdirect.cli.benchmark.comparison import comparison  # noqa: PLC0415
    from ttdirect.cli.benchmark.report import report  # noqa: PLC0415

    if options.json:
        print(json.dumps(_document(benches, options, this), indent=2))
        return
    for which, bench in zip(("first", "second"), benches, strict=False):
        if len(benches) > 1:
            print(f"{which}: {neutralise(bench.model)}, {bench.url}")
        print(report(bench.figures, bench.published), end="\n" if len(benches) > 1 else "")
    if len(benches) > 1:
        print(comparison(*(bench.figures for bench in benches)), end="")
    if this.interrupted:
        print("interrupted: the last case is not complete")


def _document(benches: Sequence[_Bench], options: argparse.Namespace, this: _Run) -> dict[str, Any]:
    names = (
        *("concurrency", "prompt_tokens", "max_tokens", "requests", "seconds", "warmup"),
        *("completions", "shared_prefix", "ignore_eos"),
    )
    first, *others = [
        {
            "url": bench.url,
            "model": bench.model,
            "cases": [dataclasses.asdict(case) for case in bench.figures],
            "published": [dataclasses.asdict(figure) for figure in bench.published],
        }
        for bench in benches
    ]
    return {
        "tool": f"ttdirect bench {ttdirect.__version__}",
        "begun": this.begun.isoformat(timespec="seconds"),
        "settings": {name: getattr(options, name) for name in names} | {"seed": this.seed},
        "interrupted": this.interrupted,
        **first,
        **({"compared": others[0]} if others else {}),
    }


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, not '{text}'")
    return int(text)


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _counts(text: str) -> list[int]:
    return [_count(part.strip()) for part in text.split(",")]
