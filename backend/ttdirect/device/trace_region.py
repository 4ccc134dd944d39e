"""How much DRAM of a chip is set aside for traces, the recorded steps of a model.

Newer versions of ttnn take 0 as "find out", but older ones fail when the first trace is captured,
so a size is always given. One that is too large costs half a percent of a chip's DRAM; one that is
too small stops the server.
"""

from __future__ import annotations

from ttdirect.hardware.models import find_model

DEFAULT_BYTES = 50_000_000
"""What vllm-tt-plugin @ e3fc849 opens a mesh with."""

# Where more is known to be needed: the larger of tt-inference-server's model_specs (@ 11ac526) and
# tt-metal's model_trace_region_sizes.yaml (@ d5a37f8f). P150 is said to "match P100" there.
_LARGER: dict[str, dict[str, int]] = {
    "Llama-3.1-8B": {
        "N150": 60_000_000,
        "N300": 70_000_000,
        "T3K": 117_000_000,
        "P100": 90_000_000,
        "P150": 90_000_000,
        "P150x4": 70_000_000,
        "P300": 52_000_000,
    },
}
# Listed there with 80 to 224 MB, depending on the system.
_LARGEST = {"Llama-3.1-70B": 224_000_000, "Qwen2.5-72B": 224_000_000}


def trace_region_bytes(model: str, system: str) -> int:
    """Return the size of the trace region on each chip.

    Args:
        model: name on the hub, or a folder.
        system: what MESH_DEVICE calls the chips that are opened, or empty.
    """
    known = find_model(model)
    if known is None:
        return DEFAULT_BYTES
    size = _LARGER.get(known.name, {}).get(system, DEFAULT_BYTES)
    return max(size, _LARGEST.get(known.name, 0))
