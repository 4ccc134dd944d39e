"""Continuous batching over any Generator: token ids and logits in, text out, never HTTP."""

from .adapter import adapt
from .completion import Completion, Figures
from .engine import Engine
from .errors import (
    DeadlineError,
    EngineError,
    NotReadyError,
    PromptTooLongError,
    QueueFullError,
    StepFailedError,
)
from .lifecycle import Health, LoadedModel, PhaseReporter, State
from .request import FinishReason, Request, SamplingParams

__all__ = [
    "Completion",
    "DeadlineError",
    "Engine",
    "EngineError",
    "Figures",
    "FinishReason",
    "Health",
    "LoadedModel",
    "NotReadyError",
    "PhaseReporter",
    "PromptTooLongError",
    "QueueFullError",
    "Request",
    "SamplingParams",
    "State",
    "StepFailedError",
    "adapt",
]
