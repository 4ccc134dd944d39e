"""How fast models are said to be on which board, and who said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.hardware.boards import find_preset
from ttdirect.hardware.models import find_model

if TYPE_CHECKING:
    from ttdirect.hardware.boards import Preset
    from ttdirect.hardware.models import Model


@dataclass(frozen=True)
class Source:
    """Where figures come from, and what they are worth today."""

    where: str
    state: str
    prompt: str


PERF = Source(
    "tt_transformers/PERF.md (velonica0/tt-metal @ 4654d36f)",
    "measured in 2025, superseded",
    "128 tokens",
)
"""Its "performance" columns. The file was replaced by targets in 2026."""

TARGETS = Source(
    "models/model_targets.yaml (heroxcreed/tt-metal @ d5a37f8f)",
    "CI target of 2026, not a measurement",
    "about 712 characters",
)
"""What tt-metal's own tests ask for. How fast the main branch is today is not confirmed."""


@dataclass(frozen=True)
class Figure:
    """One published speed.

    Args:
        model: the name in the table of models.
        system: what MESH_DEVICE calls the system.
        batch: requests at the same time.
        tokens_per_second: of each of them, while it is answered.
        ttft_ms: time to the first token, the mean of the batch.
        source: who says so.
    """

    model: str
    system: str
    batch: int
    tokens_per_second: float
    ttft_ms: float
    source: Source


FIGURES: tuple[Figure, ...] = tuple(
    Figure(model, system, batch, tokens_per_second, ttft_ms, source)
    for source, batch, model, rows in (
        (PERF, 1, "Llama-3.2-1B", {"N150": (87.8, 26), "N300": (105.9, 22), "T3K": (119.8, 32)}),
        (PERF, 1, "Llama-3.2-3B", {"N150": (54.0, 55), "N300": (68.0, 39), "T3K": (68.5, 52)}),
        (PERF, 1, "Llama-3.1-8B", {"N150": (28.3, 104), "N300": (44.2, 67), "T3K": (64.3, 53)}),
        (PERF, 1, "Mistral-7B", {"N150": (29.8, 100), "N300": (47.0, 66), "T3K": (67.8, 54)}),
        (PERF, 1, "Qwen2.5-7B", {"N300": (24.6, 92)}),
        (PERF, 1, "Qwen3-32B", {"T3K": (22.9, 123)}),
        (PERF, 1, "Llama-3.1-70B", {"T3K": (16.6, 164)}),
        (PERF, 1, "Qwen2.5-72B", {"T3K": (15.2, 225)}),
        (PERF, 32, "Llama-3.2-1B", {"N150": (54.7, 38), "N300": (64.2, 34), "T3K": (69.9, 42)}),
        (PERF, 32, "Llama-3.2-3B", {"N150": (36.5, 69), "N300": (45.8, 51), "T3K": (47.8, 63)}),
        (PERF, 32, "Llama-3.1-8B", {"N150": (22.3, 119), "N300": (33.5, 80), "T3K": (45.6, 64)}),
        (PERF, 32, "Llama-3.1-70B", {"T3K": (14.8, 192)}),
        (
            TARGETS,
            32,
            "Llama-3.1-8B",
            {"N150": (23.5, 113), "P150": (42.0, 53), "T3K": (64.0, 40), "P300x2": (57.0, 28)},
        ),
        (TARGETS, 32, "Mistral-7B", {"N150": (25.3, 118)}),
        (TARGETS, 32, "Qwen3-32B", {"T3K": (22.0, 123), "P300x2": (21.6, 87)}),
        (TARGETS, 32, "Qwen2.5-32B", {"T3K": (22.7, 101)}),
    )
    for system, (tokens_per_second, ttft_ms) in rows.items()
)


def published(model: Model, preset: Preset) -> list[Figure]:
    """Return what is published for a model on a system, the newest for each batch size."""
    newest: dict[int, Figure] = {}
    for figure in FIGURES:  # older sources come first
        if (figure.model, figure.system) == (model.name, preset.name):
            newest[figure.batch] = figure
    return [newest[batch] for batch in sorted(newest)]


def published_for(model: str, system: str) -> list[Figure]:
    """Return what is published for names as a server tells them, nothing for unknown ones."""
    known, preset = find_model(model), find_preset(system)
    return published(known, preset) if known and preset else []


def describe(figure: Figure) -> str:
    """Return a figure in words, with its source's state."""
    users = "1 request" if figure.batch == 1 else f"{figure.batch} requests"
    return (
        f"{users}: {figure.tokens_per_second:g} tokens/s each, first token after "
        f"{figure.ttft_ms:g} ms ({figure.source.state})"
    )
