"""The real engine on a fake Generator and a tokenizer of bytes.

`running_engine()` is what most tests want:

    with running_engine(answers={"hello": "Hi!"}) as engine:
        assert text_of(engine.ask("hello")) == "Hi!"
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from byte_tokenizer import ByteTokenizer
from fake_generator import FakeGenerator, Gate
from ttdirect.engine import Completion, Engine, FinishReason, LoadedModel, State, adapt
from ttdirect.engine.sequence import Finished, Sequence
from waiting import PATIENCE_SECONDS, wait_until

ENDLESS = "the quick brown fox " * 100
"""A long answer, of which tests ask for the beginning."""


def text_of(completion: Completion) -> str:
    """The whole answer, read to its end."""
    return "".join(completion.pieces())


def is_idle(engine: Engine) -> bool:
    """Whether nobody runs or waits, and all slots and blocks are back."""
    scheduler = engine._scheduler
    return (
        not scheduler.running
        and not scheduler.waiting
        and not engine._loop._cancelled
        and scheduler.groups.use == 0.0
        and scheduler.groups.free_slots == list(range(engine.max_batch_size))
    )


def ending_of(sequence: Sequence) -> FinishReason:
    """Why a sequence ended, read as the thread that asked reads it."""
    while not isinstance(event := sequence.events.get(timeout=PATIENCE_SECONDS), Finished):
        pass
    return event.reason


PHASES = (("opening the device", 0.1), ("loading the weights", 0.3), ("building the model", 0.8))


class FakeLoader:
    """Usable as `Engine(initialize_model=...)`.

    Args:
        generator: the Generator to serve; any with the right methods.
        load_seconds: how long loading takes, spread over `PHASES`.
        load_gate: held before each phase when given, like a step of the Generator.
        fail_with: raised in the last phase instead of returning a model.
        close_fails_with: raised when the device is given back.
        name: the model's name.
        device: what computes.
        tokenizer: the tokenizer.
    """

    def __init__(
        self,
        generator: Any,
        *,
        load_seconds: float = 0.0,
        load_gate: Gate | None = None,
        fail_with: BaseException | None = None,
        close_fails_with: BaseException | None = None,
        name: str = "fake-1b",
        device: str = "fake device",
        tokenizer: Any = None,
    ) -> None:
        self.generator = generator
        self.load_seconds = load_seconds
        self.load_gate = load_gate or Gate()
        self.fail_with = fail_with
        self.close_fails_with = close_fails_with
        self.name = name
        self.device = device
        self.tokenizer = tokenizer or ByteTokenizer()
        self.loads: list[int] = []
        self.closes: list[int] = []

    def __call__(self, phase: Callable[..., None]) -> LoadedModel:
        self.loads.append(threading.get_ident())
        for name, progress in PHASES:
            self.load_gate.pass_through()
            phase(name, progress)
            if self.load_seconds:
                time.sleep(self.load_seconds / len(PHASES))
        if self.fail_with is not None:
            raise self.fail_with
        adapted = adapt(self.generator)
        kv_cache = self.generator.kv_cache

        def prefill(
            tokens: Any, prompt_len: int, page_table: Any, slot: int, cached: int = 0
        ) -> Any:
            return adapted.prefill_forward_text(
                tokens,
                page_table=page_table,
                kv_cache=kv_cache,
                prompt_lens=[prompt_len],
                empty_slots=[slot],
                start_pos=[cached],
            )

        def decode(tokens: Any, positions: Any, page_table: Any) -> Any:
            return adapted.decode_forward_text(
                tokens, positions, page_table=page_table, kv_cache=kv_cache
            )

        return LoadedModel(
            prefill=prefill,
            decode=decode,
            tokenizer=self.tokenizer,
            name=self.name,
            device=self.device,
            vocab_size=self.tokenizer.vocab_size,
            close=self._close,
            continues_prompts=adapted.continues_prompts,
            verifies_drafts=adapted.verifies_drafts,
        )

    def _close(self) -> None:
        self.closes.append(threading.get_ident())
        if self.close_fails_with is not None:
            raise self.close_fails_with


def fake_initialize_model(**options: Any) -> FakeLoader:
    """A function for `Engine(initialize_model=...)`.

    Args:
        options: those of `FakeLoader` and, unless `generator` is given, of `FakeGenerator`.
    """
    if "generator" not in options:
        options["generator"] = FakeGenerator(
            **{name: options.pop(name) for name in _names_of(FakeGenerator) & options.keys()}
        )
    return FakeLoader(**options)


def make_engine(**options: Any) -> Engine:
    """An engine that was not started, over a fake Generator of the same size.

    Args:
        options: those of `Engine`, `FakeLoader` and `FakeGenerator`. Without `num_blocks` there
            are enough blocks for every slot.
    """
    options.setdefault("max_batch_size", 4)
    options.setdefault("max_seq_len", 256)
    options.setdefault("block_size", 8)
    width = -(-options["max_seq_len"] // options["block_size"])
    options.setdefault("num_blocks", 1 + options["max_batch_size"] * width)
    for_engine = {name: options[name] for name in _names_of(Engine) & options.keys()}
    own = _names_of(FakeLoader) | (set() if "generator" in options else _names_of(FakeGenerator))
    unknown = options.keys() - own - for_engine.keys()
    assert not unknown, f"nobody knows the options {unknown}"
    loader = fake_initialize_model(**{name: options[name] for name in own & options.keys()})
    return Engine(loader, **for_engine)


def generator_of(engine: Engine) -> FakeGenerator:
    """The fake under an engine of `make_engine` or `running_engine`."""
    return loader_of(engine).generator


def loader_of(engine: Engine) -> FakeLoader:
    """The loader that `make_engine` or `running_engine` gave to the engine."""
    loader = engine._initialize_model
    assert isinstance(loader, FakeLoader)
    return loader


def stop_engine(engine: Engine) -> None:
    """End an engine whatever it is doing, and wait for its thread."""
    loader = loader_of(engine)
    engine.drain(0.0)
    loader.load_gate.open()
    if isinstance(loader.generator, FakeGenerator):
        loader.generator.gate.open()
    assert engine.join(PATIENCE_SECONDS), "the engine did not stop"


@contextmanager
def running_engine(**options: Any) -> Iterator[Engine]:
    """An engine that is ready, over a fake Generator; always stopped at the end.

    Args:
        options: those of `make_engine`.
    """
    engine = make_engine(**options)
    engine.start()
    try:
        wait_until(lambda: engine.state is not State.LOADING, "the end of loading")
        assert engine.state is State.READY, engine.health().note
        yield engine
    finally:
        stop_engine(engine)
    asked_for = isinstance(generator_of(engine), FakeGenerator) and (
        generator_of(engine).fail_at_step is not None
    )
    assert asked_for or engine.state is State.STOPPED, engine.health().note


def _names_of(owner: type) -> set[str]:
    return set(inspect.signature(owner).parameters)


class Answered:
    """A completion read by a thread of its own: its text, or the error."""

    def __init__(self, completion):
        self.completion = completion
        self.text = self.error = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            self.text = text_of(self.completion)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def wait(self):
        self._thread.join(30)
        assert not self._thread.is_alive(), "a request hangs"
        return self


def ask_many(engine, count, **options):
    return [Answered(engine.ask("go on", **options)) for _ in range(count)]


def gave_device_back_once(engine):
    loader = loader_of(engine)
    return loader.closes == loader.loads and len(loader.loads) == 1
