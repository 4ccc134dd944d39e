"""Places that a text speaks of: models on the hub, the user's script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ttdirect.language_server.analysis.source import Span

if TYPE_CHECKING:
    from ttdirect.language_server.analysis.document import Document

_MODEL = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SETTINGS = ("MODEL", "MODEL_NAME", "MODEL_ID", "HF_MODEL")
_SCRIPT = re.compile(r"(?:~/|\./)?tt-api-server-direct\.py\b")


class Link(NamedTuple):
    """A stretch of text and where it leads."""

    span: Span
    target: str
    tooltip: str


def links(document: Document, script: Path | None) -> list[Link]:
    """The links of a document.

    Args:
        document: a script, or Markdown.
        script: the user's script, if it is there.
    """
    found: list[Link] = []
    facts = document.python
    for assignment in [] if facts is None else facts.assignments:
        if assignment.target.text not in _SETTINGS:
            continue
        for match in re.finditer(r"""["']([^"']+)["']""", assignment.value.text):
            name = _MODEL.fullmatch(match[1])
            if name is not None and not Path(match[1]).exists():
                start = assignment.value.span.start + match.start(1)
                target = f"https://huggingface.co/{match[1]}"
                found.append(Link(Span(start, start + len(match[1])), target, "The model's page"))
    if document.markdown is not None and script is not None:
        found += [
            Link(Span(match.start(), match.end()), script.as_uri(), "The script")
            for match in _SCRIPT.finditer(document.text)
        ]
    return found
