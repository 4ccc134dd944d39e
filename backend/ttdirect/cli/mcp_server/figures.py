"""The server's metrics in few figures: from Prometheus' text to what an agent can use."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.samples import Sample

_PREFIX = "ttdirect:"


class Figures(BaseModel):
    """What the server has done since its model was loaded."""

    requests_running: int = Field(description="Requests that are being answered now.")
    requests_waiting: int = Field(description="Requests that wait for a slot now.")
    kv_cache_use: float = Field(description="Share of the KV cache in use now, 0 to 1.")
    prompt_tokens: int
    generated_tokens: int
    finished: dict[str, int] = Field(description="Requests by the way they ended.")
    refused: dict[str, int] = Field(description="Requests that were not admitted, by reason.")
    failed_steps: int = Field(description="Steps in which the model raised an error.")
    http_errors: dict[str, int] = Field(
        description="Answers with a status of 400 or more, as 'status route'."
    )
    prefix_cache_hit_rate: float | None = Field(
        description="Share of the prompts' tokens that the cache held, 0 to 1."
    )
    mean_ttft_seconds: float | None = Field(description="Mean time to the first token.")
    mean_inter_token_seconds: float | None = Field(description="Mean time between tokens.")
    mean_request_seconds: float | None = Field(description="Mean time of a whole request.")
    mean_queue_seconds: float | None = Field(description="Mean time in the queue.")


def figures_of(text: str) -> Figures:
    """Sum up what `GET /metrics` answers.

    Args:
        text: in Prometheus' text format. Metrics that are missing, as all of the model's are
            while it loads, count as 0, and means and shares of nothing are None.
    """
    samples: dict[str, list[Sample]] = collections.defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name.removeprefix(_PREFIX)].append(sample)

    def total(name: str) -> float:
        return sum(sample.value for sample in samples[name])

    def mean(name: str) -> float | None:
        return _share(total(f"{name}_sum"), total(f"{name}_count"))

    errors = (each for each in samples["http_requests_total"] if each.labels["status"] >= "400")
    return Figures(
        requests_running=int(total("num_requests_running")),
        requests_waiting=int(total("num_requests_waiting")),
        kv_cache_use=total("kv_cache_usage_perc"),
        prompt_tokens=int(total("prompt_tokens_total")),
        generated_tokens=int(total("generation_tokens_total")),
        finished=_counts(samples["request_success_total"], "finished_reason"),
        refused=_counts(samples["admission_rejections_total"], "reason"),
        failed_steps=int(total("failed_steps_total")),
        http_errors=_counts(errors, "status", "route"),
        prefix_cache_hit_rate=_share(
            total("prefix_cache_hits_total"), total("prefix_cache_queries_total")
        ),
        mean_ttft_seconds=mean("time_to_first_token_seconds"),
        mean_inter_token_seconds=mean("inter_token_latency_seconds"),
        mean_request_seconds=mean("e2e_request_latency_seconds"),
        mean_queue_seconds=mean("request_queue_time_seconds"),
    )


def _counts(samples: Iterable[Sample], *labels: str) -> dict[str, int]:
    """What was counted more than zero times, by the values of the labels."""
    counts = collections.Counter[str]()
    for sample in samples:
        counts[" ".join(sample.labels[label] for label in labels)] += int(sample.value)
    return dict(+counts)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
