"""How much tests that make up requests try.

A few requests, the same ones each time; with TTDIRECT_FUZZ_MINUTES=10 other ones each time, for
so long.
"""

import os
import time
from collections.abc import Callable

from hypothesis import Phase, settings

MINUTES = float(os.environ.get("TTDIRECT_FUZZ_MINUTES", "0"))


def tries(count: int) -> settings:
    """Settings for so many examples; they are not made smaller when they fail, for speed."""
    few = settings(
        settings.get_profile("steady"),
        max_examples=count,
        phases=[Phase.explicit, Phase.generate],
    )
    return settings(few, derandomize=False, database=None) if MINUTES else few


def search(check: Callable[[], None], parts: int = 1) -> None:
    """Call a test of Hypothesis once, or again and again for its part of the minutes."""
    until = time.monotonic() + 60 * MINUTES / parts
    check()
    while time.monotonic() < until:
        check()
