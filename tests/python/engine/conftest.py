from types import SimpleNamespace

import pytest

from engine_on_fakes import ENDLESS, running_engine, text_of
from fake_generator import Gate


@pytest.fixture(scope="session")
def alone():
    """A function that answers a question on an engine with one slot, where nobody else is.

    It takes what `Engine.ask` takes and gives the text and the finish reason.
    """
    known = {}

    def ask(prompt, **options):
        key = (prompt, *sorted(options.items()))
        if key not in known:
            completion = engine.ask(prompt, **options)
            known[key] = text_of(completion), completion.figures.finish_reason
        return known[key]

    with running_engine(max_batch_size=1) as engine:
        yield ask


@pytest.fixture
def held():
    """An engine of two slots whose first step is held, and its gate."""
    gate = Gate(shut=True)
    with running_engine(
        max_batch_size=2, max_queued=3, gate=gate, answers=lambda _: ENDLESS
    ) as engine:
        yield SimpleNamespace(engine=engine, gate=gate, ask=engine.ask)
