"""GET /health: the engine's state in the lesson's words."""

from __future__ import annotations

import dataclasses
from typing import Any

import ttdirect
from ttdirect.engine import Engine, State
from ttdirect.server.errors import for_clients


def health_report(engine: Engine) -> dict[str, Any]:
    """What `/health` answers; the same keys in every state.

    Reads a picture that the engine keeps at hand, so it takes no time even under full load.
    """
    health = engine.health()
    state = State.DRAINING if health.state is State.STOPPED else health.state
    return {
        "status": "healthy" if state is State.READY else state.value,
        "model": health.model,
        "model_loaded": health.model is not None,
        "note": for_clients(health.note),
        "phase": health.phase,
        "progress": round(health.progress, 3),
        "elapsed_seconds": round(health.elapsed_seconds, 1),
        "device": health.device,
        "memory": health.memory and dataclasses.asdict(health.memory),
        "running": health.running,
        "queued": health.queued,
        "max_batch_size": health.max_batch_size,
        "max_seq_len": health.max_seq_len,
        "version": ttdirect.__version__,
    }
