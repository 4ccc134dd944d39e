"""Whatever comes, in whatever order: texts are as alone, and everything comes back."""

import random
import threading

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine_on_fakes import (
    generator_of,
    make_engine,
    running_engine,
    stop_engine,
    text_of,
)
from fake_generator import Gate
from ttdirect.engine import FinishReason, NotReadyError, QueueFullError, Request, State
from waiting import wait_until


class User:
    """Somebody who asks and reads the answer on a thread of their own."""

    def __init__(self, engine, prompt, options):
        self.prompt = prompt
        self.options = options
        self.error = None
        self.has_left = False
        self.completion = engine.ask(prompt, **options)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            text_of(self.completion)
        except NotReadyError as error:
            self.error = error

    def leave(self):
        self.has_left = True
        self.completion.cancel()

    def wait(self):
        self._thread.join(30)
        assert not self._thread.is_alive(), f"{self.prompt} hangs"

    def check(self, alone, *, was_drained):
        """The text is what it is alone, or the beginning of it where it had to end early."""
        text, reason = alone(self.prompt, **self.options)
        figures = self.completion.figures
        assert 0.0 <= figures.queue_seconds <= figures.ttft_seconds <= figures.time_seconds
        assert 0 <= figures.tokens_generated <= self.options["max_tokens"]
        if self.error is not None or figures.finish_reason is FinishReason.ABORT:
            assert was_drained
        elif figures.finish_reason is FinishReason.CANCELLED:
            assert self.has_left
        else:
            assert (self.completion.text, figures.finish_reason) == (text, reason)
        assert text.startswith(self.completion.text.rstrip("\ufffd"))


QUESTIONS = st.fixed_dictionaries(
    {
        "max_tokens": st.integers(1, 30),
        "temperature": st.sampled_from([0.0, 0.0, 0.8, 2.0]),
        "top_p": st.sampled_from([1.0, 0.9]),
        "top_k": st.sampled_from([0, 5]),
        "seed": st.integers(0, 9),
        "stop": st.sampled_from([(), (), ("e",), ("ab", "b"), ("é", "z", "Q")]),
        "stream": st.booleans(),
    }
)


def machine_for(alone):
    class ManyUsers(RuleBasedStateMachine):
        """Each step of the engine happens when the test says so."""

        @initialize(
            slots=st.sampled_from([1, 2, 4]),
            models=st.sampled_from([1, 1, 2, 3]),
            blocks=st.sampled_from([9, 12, 20, 129]),
            max_queued=st.sampled_from([0, 2, 50]),
        )
        def start(self, slots, models, blocks, max_queued):
            self.gate = Gate(shut=True)
            self.engine = make_engine(
                max_batch_size=slots * models,
                data_parallel=models,
                num_blocks=blocks,
                max_queued=max_queued,
                gate=self.gate,
            )
            self.engine.start()
            wait_until(lambda: self.engine.state is State.READY, "readiness")
            self.users = []
            self.latecomers = []
            self.is_draining = False
            self.moves = 0

        def is_idle(self):
            with self.engine._loop._work:
                return not self.engine._scheduler.running and not self.engine._scheduler.waiting

        def present(self):
            with self.engine._loop._work:
                scheduler = self.engine._scheduler
                return len(scheduler.running), len(scheduler.waiting)

        def rest(self):
            """Wait until the engine's thread stands at the gate or has nothing to do."""
            wait_until(lambda: self.gate.is_held or self.is_idle(), "rest")

        def arrive_with(self, submit):
            """Take a place if there is one, and be refused only if there is none."""
            self.rest()
            running, waiting = self.present()
            too_many = waiting - (self.engine.max_batch_size - running) >= self.engine.max_queued
            try:
                submit()
            except NotReadyError:
                assert self.is_draining
            except QueueFullError:
                assert too_many
            else:
                assert not self.is_draining
                assert not too_many

        @rule(length=st.integers(0, 28), number=st.integers(0, 3), options=QUESTIONS)
        def arrive(self, length, number, options):
            prompt = f"{number}" * length
            self.arrive_with(lambda: self.users.append(User(self.engine, prompt, options)))

        @rule()
        def arrive_too_late(self):
            """A request whose time is over before its first step."""
            request = Request((1, 2, 3), max_tokens=20, timeout_seconds=0.0)
            self.arrive_with(lambda: self.latecomers.append(self.engine.submit(request)))

        @rule(who=st.integers(0, 20))
        def leave(self, who):
            if self.users:
                self.users[who % len(self.users)].leave()

        @rule(steps=st.integers(1, 12))
        def compute(self, steps):
            self.moves += steps
            for _ in range(steps):
                self.rest()
                if self.gate.is_held:
                    self.gate.let_one_go()

        @precondition(lambda self: self.moves > 40)
        @rule(timeout=st.sampled_from([0.0, 3600.0]))
        def drain(self, timeout):
            self.rest()
            self.engine.drain(timeout)
            self.is_draining = True

        @invariant()
        def nobody_writes_into_a_block_of_others(self):
            with self.engine._loop._work:
                scheduler = self.engine._scheduler
                groups, running = scheduler.groups, scheduler.running.values()
                size, rows = groups.block_size, groups.max_batch_size // groups.data_parallel
                written = [
                    (s.slot // rows, b)
                    for s in running
                    for b in s.blocks[s.cached_tokens // size :]
                ]
                assert len(set(written)) == len(written)
                held = {(s.slot // rows, block) for s in running for block in s.blocks}
                assert 0 not in {block for _, block in held}
                everything = groups.blocks_each * groups.data_parallel
                assert len(held) + groups.free_blocks == everything
                assert len(scheduler.running) <= self.engine.max_batch_size

        def teardown(self):
            if not hasattr(self, "engine"):
                return
            self.gate.open()
            for user in self.users:
                user.wait()
                user.check(alone, was_drained=self.is_draining)
            for sequence in self.latecomers:
                wait_until(lambda s=sequence: s.finished, "the end of a latecomer")
                assert sequence.finished.reason in (FinishReason.DEADLINE, FinishReason.ABORT)
            wait_until(self.is_idle, "idleness")
            wait_until(lambda: not self.engine._loop._cancelled, "forgetting who left")
            self.nobody_writes_into_a_block_of_others()
            assert self.engine._scheduler.groups.use == 0.0
            stop_engine(self.engine)
            assert self.engine.state is State.STOPPED, self.engine.health().note

    return ManyUsers


def test_every_step_may_be_the_one_where_somebody_comes_or_goes(alone):
    run_state_machine_as_test(
        machine_for(alone),
        settings=settings(settings.get_profile("steady"), max_examples=40, stateful_step_count=40),
    )


@pytest.mark.parametrize(("seed", "models"), [(0, 1), (1, 1), (2, 2), (3, 4)])
def test_many_threads_at_full_speed_get_the_texts_they_get_alone(alone, seed, models):
    with running_engine(
        max_batch_size=8, num_blocks=60, max_queued=100, data_parallel=models
    ) as engine:
        users, lock = [], threading.Lock()

        def ask_often(number):
            chance = random.Random(f"{seed} {number}")
            for _ in range(8):
                options = {
                    "max_tokens": chance.randint(1, 30),
                    "temperature": chance.choice([0.0, 1.0]),
                    "seed": chance.randint(0, 5),
                    "stop": chance.choice([(), ("e",), ("ab", "b")]),
                    "stream": chance.random() < 0.5,
                }
                user = User(engine, f"{chance.randint(0, 9)}" * chance.randint(0, 25), options)
                with lock:
                    users.append(user)
                if chance.random() < 0.3:
                    user.leave()
                if chance.random() < 0.5:
                    user.wait()

        threads = [threading.Thread(target=ask_often, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(users) == 64
        for user in users:
            user.wait()
            user.check(alone, was_drained=False)
        wait_until(lambda: engine.health().running == 0)
        wait_until(lambda: not engine._loop._cancelled)
        assert engine._scheduler.groups.use == 0.0
        assert len(generator_of(engine).threads) == 1
