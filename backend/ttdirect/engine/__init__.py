"""Continuous batching over any Generator: token ids and logits in, text out, never HTTP."""

from ttdirect.engine.adapter import adapt
from ttdirect.engine.completion import Completion, Figures
from ttdirect.engine.engine import Engine
from ttdirect.engine.errors import (
    DeadlineError,
    EngineError,
    NotReadyError,
    PromptRefusedError,
    PromptTooLongError,
    QueueFullError,
    StepFailedError,
)
from ttdirect.engine.lifecycle import Health, LoadedModel, PhaseReporter, State
from ttdirect.engine.request import FinishReason, Request, SamplingParams
from ttdirect.engine.text import printable

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
    "PromptRefusedError",
    "PromptTooLongError",
    "QueueFullError",
    "Request",
    "SamplingParams",
    "State",
    "StepFailedError",
    "adapt",
    "printable",
]
