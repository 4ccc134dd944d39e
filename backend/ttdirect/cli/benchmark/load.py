"""Many clients at once: each asks its next question as soon as it has its answer."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttdirect.cli.benchmark.sample import Sample, ask
from ttdirect.cli.connection import RefusedError
from ttdirect.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttdirect.cli.connection import Connection

_TICK_SECONDS = 0.02
_PATIENCE_SECONDS = 2.0
# After a failure, so that a server that refuses everything is not flooded.
_PAUSE_SECONDS = 0.1
# A thread with a stamp to make waits at most so long for one that computes. Python's own 5 ms
# would be seen in the time between two tokens.
_SWITCH_SECONDS = 0.0005


@dataclass(frozen=True)
class Case:
    """One load.

    Args:
        clients: how many ask at the same time.
        prompt_tokens: tokens of each prompt.
        requests: how many are measured in all; None to go by `seconds`.
        seconds: for how long new ones are sent; None to go by `requests`.
        warmup: requests of each client before the measured ones.
    """

    clients: int
    prompt_tokens: int
    requests: int | None
    seconds: float | None
    warmup: int


@dataclass
class Outcome:
    """What came of a case: answers, failures by kind, how long it took from first to last.

    `lags` holds by how many seconds this process woke up late while it measured: its own stamps
    can be late by as much.
    """

    samples: list[Sample] = field(default_factory=list[Sample])
    failures: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    lags: list[float] = field(default_factory=list[float])


class Load:
    """Runs one case.

    Args:
        case: what to run.
        connect: opens a connection; each client keeps one of its own.
        url: where to post.
        body: the request with this number; negative numbers are warm-up.
        clock: seconds; only differences count.
    """

    def __init__(
        self,
        case: Case,
        connect: Callable[[], Connection],
        url: str,
        body: Callable[[int], dict[str, Any]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.outcome = Outcome()
        self._case = case
        self._connect = connect
        self._url = url
        self._body = body
        self._clock = clock
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._sent = 0
        self._warmed = 0
        self._begun = self._ended = 0.0
        self._start = threading.Barrier(case.clients, self._note_start)

    def run(self, tick: Callable[[], None]) -> None:
        """Run the case to its end; `tick` is called now and then while it runs.

        Raises:
            KeyboardInterrupt: If the user pressed Ctrl+C. What was measured until then is in
                `outcome`.
        """
        # Daemons, so that one that waits for a silent server does not keep the process.
        threads = [
            threading.Thread(target=self._be_a_client, daemon=True)
            for _ in range(self._case.clients)
        ]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                due = time.perf_counter() + _TICK_SECONDS
                time.sleep(_TICK_SECONDS)
                if self._begun:
                    self.outcome.lags.append(max(0.0, time.perf_counter() - due))
                tick()
        finally:
            self._stop.set()
            until = time.monotonic() + _PATIENCE_SECONDS
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            sys.setswitchinterval(interval)
            with self._lock:
                self.outcome.seconds = self._ended - self._begun if self._ended else 0.0

    def _note_start(self) -> None:
        self._begun = self._clock()

    def _be_a_client(self) -> None:
        with contextlib.closing(self._connect()) as connection:
            for _ in range(self._case.warmup):
                # What is wrong will be wrong again when it counts.
                with contextlib.suppress(CommandError):
                    ask(connection, self._url, self._next_warmup(), self._clock, self._stop.is_set)
            self._start.wait()
            while (body := self._next()) is not None:
                self._measure(connection, body)

    def _measure(self, connection: Connection, body: dict[str, Any]) -> None:
        try:
            sample = ask(connection, self._url, body, self._clock, self._stop.is_set)
        except CommandError as error:
            with self._lock:
                self.outcome.failures[_kind(error)] += 1
                self._ended = self._clock()
            self._stop.wait(_PAUSE_SECONDS)
        else:
            if sample:
                with self._lock:
                    self.outcome.samples.append(sample)
                    self._ended = self._clock()

    def _next(self) -> dict[str, Any] | None:
        """Return the next request, None if there is none."""
        case = self._case
        with self._lock:
            number = self._sent
            if self._stop.is_set() or (case.requests is not None and number >= case.requests):
                return None
            if case.seconds is not None and self._clock() - self._begun >= case.seconds:
                return None
            self._sent += 1
        return self._body(number)

    def _next_warmup(self) -> dict[str, Any]:
        with self._lock:
            self._warmed += 1
            return self._body(-self._warmed)


def _kind(error: CommandError) -> str:
    return f"HTTP {error.status}: {error.what}" if isinstance(error, RefusedError) else error.what
