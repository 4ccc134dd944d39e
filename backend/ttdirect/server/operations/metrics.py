"""GET /metrics: what the engine and the routes have counted, as Prometheus reads it.

Names, labels and buckets are vLLM's with `ttdirect:` in front, so that its dashboards can be used
with another prefix.
"""

from __future__ import annotations

import itertools
import platform
import threading
from typing import TYPE_CHECKING

from flask import Flask, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

import ttdirect
from ttdirect.engine import Engine, FinishReason, Health, State
from ttdirect.server.operations.http_metrics import count_requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ttdirect.engine import Histogram

PREFIX = "ttdirect:"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

REFUSALS = ("queue_full", "prompt_too_long")
"""Why the engine does not admit a request. All are shown from the start, because Prometheus
cannot tell how much a counter grew before it was there."""

_COUNTERS = {
    "prefix_cache_queries": ("prefix_queries", "Tokens looked up in the prefix cache."),
    "prefix_cache_hits": ("prefix_hits", "Tokens that the prefix cache held."),
    "spec_decode_num_drafts": ("drafts", "Drafts of an answer's next tokens."),
    "spec_decode_num_draft_tokens": ("draft_tokens", "Tokens of those drafts."),
    "spec_decode_num_accepted_tokens": (
        "accepted_draft_tokens",
        "Drafted tokens that became tokens of answers.",
    ),
    "prompt_tokens": ("prompt_tokens", "Tokens of prompts that were read."),
    "generation_tokens": ("generation_tokens", "Tokens that were generated."),
    "failed_steps": ("failed_steps", "Steps in which the model raised an error."),
}
_HISTOGRAMS = {
    "iteration_tokens_total": ("iteration_tokens", "Tokens computed in one step."),
    "time_to_first_token_seconds": ("time_to_first_token", "Time to first token in seconds."),
    "inter_token_latency_seconds": ("inter_token_latency", "Time between tokens in seconds."),
    "e2e_request_latency_seconds": ("e2e_latency", "Whole time of a request in seconds."),
    "request_queue_time_seconds": ("queue_time", "Time in the queue in seconds."),
    "request_inference_time_seconds": ("inference_time", "Time in a slot in seconds."),
    "request_prefill_time_seconds": ("prefill_time", "Time to read the prompt in seconds."),
    "request_decode_time_seconds": ("decode_time", "Time from first to last token in seconds."),
    "request_prompt_tokens": ("request_prompt_tokens", "Tokens of a request's prompt."),
    "request_generation_tokens": ("request_generation_tokens", "Tokens of a request's answer."),
    "request_params_max_tokens": ("request_max_tokens", "What requests allowed as max_tokens."),
}


def add_metrics(app: Flask, engine: Engine) -> None:
    """Add `GET /metrics` in Prometheus' text format.

    Not in OpenMetrics, which Prometheus would prefer: there prometheus_client 0.22 and later write
    the colon of our names, which the format allows, as an underscore.
    """
    registry = CollectorRegistry()
    registry.register(EngineCollector(engine))
    registry.register(_ProcessThreads())
    ProcessCollector(registry=registry)
    count_requests(app, registry, PREFIX)

    def metrics() -> Response:
        """Counters, gauges and histograms for Prometheus."""
        return Response(generate_latest(registry), content_type=CONTENT_TYPE)

    app.add_url_rule("/metrics", view_func=metrics)


class EngineCollector(Collector):
    """Turns what the engine has counted into families of metrics; never waits for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._model: str | None = None

    def collect(self) -> Iterator[Metric]:
        """The families as of now.

        Those that carry the model's name appear when it is known, and stay when it is closed.
        """
        health = self._engine.health()
        yield _family(
            "build_info",
            "The version of the server.",
            {(ttdirect.__version__, platform.python_version()): 1},
            ("version", "python_version"),
        )
        yield _family(
            "state",
            "1 for the state the server is in, 0 for the others.",
            {(state.value,): int(state is health.state) for state in State},
            ("state",),
        )
        self._model = health.model or self._model
        if self._model is not None:
            yield from self._of_model(self._model, health)

    def _of_model(self, model: str, health: Health) -> Iterable[Metric]:
        return itertools.chain(
            self._gauges(model, health), self._counters(model), self._histograms(model)
        )

    def _gauges(self, model: str, health: Health) -> Iterator[Metric]:
        gauges = {
            "num_requests_running": ("Requests that are being answered.", health.running),
            "num_requests_waiting": ("Requests that wait for a slot.", health.queued),
            "kv_cache_usage_perc": ("KV cache in use; 1 is all of it.", health.cache_use),
            "step_seconds": ("How long the running step has been going on.", health.step_seconds),
        }
        for name, (what, value) in gauges.items():
            yield _family(name, what, {(model,): value}, ("model_name",))
        engine = self._engine
        caches = engine.model is not None and engine.model.continues_prompts
        settings = {
            "model_name": model,
            "block_size": str(engine.block_size),
            "num_gpu_blocks": str(engine.num_blocks),
            "enable_prefix_caching": str(caches),
            "max_model_len": str(engine.max_seq_len),
            "max_num_seqs": str(engine.max_batch_size),
        }
        yield _family(
            "cache_config_info",
            "The settings of the KV cache; the value is always 1.",
            {tuple(settings.values()): 1},
            tuple(settings),
        )

    def _counters(self, model: str) -> Iterator[Metric]:
        stats = self._engine.stats
        for name, (attribute, what) in _COUNTERS.items():
            family = CounterMetricFamily(PREFIX + name, what, labels=("model_name",))
            family.add_metric((model,), getattr(stats, attribute))
            yield family
        reasons = tuple(reason.value for reason in FinishReason)
        yield _by_reason(
            "request_success",
            "Requests that ended, by reason.",
            (model, "finished_reason"),
            dict.fromkeys(reasons, 0) | dict(stats.finished),
        )
        yield _by_reason(
            "admission_rejections",
            "Requests that were not admitted, by reason.",
            (model, "reason"),
            dict.fromkeys(REFUSALS, 0) | dict(stats.refused),
        )

    def _histograms(self, model: str) -> Iterator[Metric]:
        for name, (attribute, what) in _HISTOGRAMS.items():
            histogram: Histogram = getattr(self._engine.stats, attribute)
            family = HistogramMetricFamily(PREFIX + name, what, labels=("model_name",))
            family.add_metric((model,), _buckets(histogram), histogram.sum)
            yield family


class _ProcessThreads(Collector):
    """The number of Python's threads, which prometheus_client does not count."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "process_threads", "Number of Python threads.", value=threading.active_count()
        )


def _family(
    name: str, what: str, values: Mapping[tuple[str, ...], float], labels: tuple[str, ...]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(PREFIX + name, what, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _by_reason(
    name: str, what: str, labels: tuple[str, str], counts: Mapping[str, int]
) -> CounterMetricFamily:
    model, label = labels
    family = CounterMetricFamily(PREFIX + name, what, labels=("model_name", label))
    for reason, count in counts.items():
        family.add_metric((model, reason), count)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Cumulative counts by upper bound, as Prometheus has them."""
    bounds = [str(float(bound)) for bound in histogram.bounds] + ["+Inf"]
    # The engine's thread may count meanwhile; the copy is taken in one go.
    return list(zip(bounds, itertools.accumulate(tuple(histogram.counts)), strict=True))
