"""Continuous batching over any Generator: token ids and logits in, text out, never HTTP."""

from ttdirect.engine.adapter import adapt
from ttdirect.engine.completion import Completion, Figures
from ttdirect.engine.engine import Engine
from ttdirect.engine.errors import (
    DeadlineError,
    EngineError,
    EngineSettingError,
    GrammarError,
    NotReadyError,
    PromptRefusedError,
    PromptTooLongError,
    QueueFullError,
    StepFailedError,
)
from ttdirect.engine.grammar import Grammar, GrammarKind
from ttdirect.engine.host import RESTART_ADVICE
from ttdirect.engine.lifecycle import Health, LoadedModel, Memory, PhaseReporter, State
from ttdirect.engine.options import Options
from ttdirect.engine.request import FinishReason, Request, SamplingParams, Token
from ttdirect.engine.stats import Histogram, Stats
from ttdirect.engine.text import printable

__all__ = [
    "RESTART_ADVICE",
    "Completion",
    "DeadlineError",
    "Engine",
    "EngineError",
    "EngineSettingError",
    "Figures",
    "FinishReason",
    "Grammar",
    "GrammarError",
    "GrammarKind",
    "Health",
    "Histogram",
    "LoadedModel",
    "Memory",
    "NotReadyError",
    "Options",
    "PhaseReporter",
    "PromptRefusedError",
    "PromptTooLongError",
    "QueueFullError",
    "Request",
    "SamplingParams",
    "State",
    "Stats",
    "StepFailedError",
    "Token",
    "adapt",
    "printable",
]
