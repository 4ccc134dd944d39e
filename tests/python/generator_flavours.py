"""tt-metal's Generator in the shapes of its eras, as test doubles over the CPU's Generator.

The signatures of prefill and decode stand in `era_signatures`; what a call does stands in
`flavours_2025` (0 and A) and `flavours_2026` (B, C and D).

Each flavour enforces what that era enforces, traps included: a caller that works with all of them
works with the tt-metal versions in use.
"""

from __future__ import annotations

from flavours_2025 import Generator0, GeneratorA
from flavours_2026 import GeneratorB, GeneratorC, GeneratorD, GeneratorLateB
from flavours_2026 import SamplingParams as SamplingParamsC

FLAVOURS = {
    "0": Generator0,
    "A": GeneratorA,
    "B": GeneratorB,
    "late B": GeneratorLateB,
    "C": GeneratorC,
    "D": GeneratorD,
}

__all__ = [
    "FLAVOURS",
    "Generator0",
    "GeneratorA",
    "GeneratorB",
    "GeneratorC",
    "GeneratorD",
    "GeneratorLateB",
    "SamplingParamsC",
]
