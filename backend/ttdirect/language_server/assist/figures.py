"""How fast the running server answers, from its /metrics, as hints on the routes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.source import Span

_ROUTES = ("/chat", "/chat/stream", "/v1/chat/completions", "/v1/completions")
_ADDED = ("ttdirect.server.add_streaming", "ttdirect.server.add_openai")
_SAMPLE = re.compile(r"(?m)^ttdirect:(\w+?)(?:\{[^}]*\})? ([0-9.eE+-]+)\s*$")
_WANTED = (
    "time_to_first_token_seconds_sum",
    "time_to_first_token_seconds_count",
    "inter_token_latency_seconds_sum",
    "inter_token_latency_seconds_count",
)
_MOST_BYTES = 2_000_000
_PATIENCE_SECONDS = 2.0


class Figures(NamedTuple):
    """What was measured.

    Args:
        requests: how many requests it comes from.
        ttft_seconds: the mean time to the first token.
        tokens_per_second: of one request, the mean; None where no second token came.
    """

    requests: int
    ttft_seconds: float
    tokens_per_second: float | None

    @property
    def label(self) -> str:
        """For the end of a line."""
        parts = [f"TTFT {self.ttft_seconds * 1000:.0f} ms"]
        if self.tokens_per_second is not None:
            parts.append(f"{self.tokens_per_second:.0f} tokens/s")
        return " · ".join(parts)

    @property
    def sentence(self) -> str:
        """What the label means."""
        many = "the last request" if self.requests == 1 else f"the last {self.requests} requests"
        return f"Mean of {many} to the running server: time to first token, then tokens a second."


class Hint(NamedTuple):
    """A hint at the end of a line."""

    offset: int
    label: str
    tooltip: str


def hints(document: Document, figures: Figures | None, span: Span) -> list[Hint]:
    """The hints of a script inside of a span."""
    facts = document.python
    if facts is None or figures is None:
        return []
    ends = [route.span.end for route in facts.routes if route.path in _ROUTES]
    ends += [call.span.end for call in facts.calls_of(*_ADDED)]
    places = {document.lines.end_of(document.lines.line_of(end)) for end in ends}
    return [Hint(it, figures.label, figures.sentence) for it in sorted(places) if span.holds(it)]


class Counters:
    """What a server has counted, and what is new since it was last looked at."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self.figures: Figures | None = None

    def update(self, text: str) -> bool:
        """Take in a page of /metrics; return whether the figures have changed."""
        totals: dict[str, float] = dict.fromkeys(_WANTED, 0.0)
        for name, value in _SAMPLE.findall(text):
            if name in totals:
                totals[name] += float(value)
        new = {name: value - self._last.get(name, 0.0) for name, value in totals.items()}
        if any(value < 0 for value in new.values()):  # the server was started again
            new = totals
        self._last = totals
        figures = _figures_of(new)
        if figures is None or figures == self.figures:
            return False
        self.figures = figures
        return True


def _figures_of(counts: Mapping[str, float]) -> Figures | None:
    requests = counts["time_to_first_token_seconds_count"]
    if requests < 1:
        return None
    tokens = counts["inter_token_latency_seconds_count"]
    seconds = counts["inter_token_latency_seconds_sum"]
    return Figures(
        int(requests),
        counts["time_to_first_token_seconds_sum"] / requests,
        tokens / seconds if tokens and seconds > 0 else None,
    )


def fetch_metrics(address: str) -> str | None:
    """The text of a server's /metrics, or None where nobody gives it. It may take seconds."""
    if not address.startswith(("http://", "https://")):
        return None
    import urllib.request  # noqa: PLC0415 - most files need it not

    request = urllib.request.Request(f"{address.rstrip('/')}/metrics")  # noqa: S310
    key = os.environ.get("TTDIRECT_API_KEY", "").partition(",")[0].strip()
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_PATIENCE_SECONDS) as answer:
            return answer.read(_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def address_of_script(script: str, folder: Path | None = None) -> str | None:
    """The address of the server that runs a script, from the note that it keeps."""
    home = Path.home() / ".cache" / "ttdirect" / "servers" if folder is None else folder
    for path in home.glob("*.json"):
        try:
            note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            os.kill(int(note["pid"]), 0)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if note.get("script") == script and isinstance(note.get("address"), str):
            return note["address"]
    return None
