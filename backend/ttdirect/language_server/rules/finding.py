"""What a rule finds, and what a rule is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.source import Span


class Severity(str, Enum):
    """How much a finding matters."""

    ERROR = "error"
    """It fails, or leaves the server open."""
    WARNING = "warning"
    """It works until there is load, or somebody with bad intentions."""
    INFORMATION = "information"
    """It may be meant so."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of the document and what shall stand there."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A way to mend a finding.

    Args:
        title: what it does, for the editor's menu.
        edits: the changes, none of which overlap.
    """

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule has found.

    Args:
        code: the rule's code.
        span: where.
        message: one sentence that says what is wrong and what to do.
        severity: how much it matters.
        fixes: ways to mend it, the best first.
    """

    code: str
    span: Span
    message: str
    severity: Severity
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a method.

    Args:
        names: all of them.
        required_names: those that have to be given by name.
        takes_any: whether it takes any others.
    """

    names: frozenset[str]
    required_names: frozenset[str] = frozenset()
    takes_any: bool = False


@dataclass(frozen=True)
class Context:
    """What rules know beyond the document.

    Args:
        script_port: the port that the user's script sets, where there is one script.
        script_name: its file name.
        settings_port: the port of the editor's settings, where somebody has set it.
        generator: the methods of the Generator of the tt-metal clone that was found; None without.
        tt_metal: the clone's folder.
    """

    script_port: int | None = None
    script_name: str = ""
    settings_port: int | None = None
    generator: Mapping[str, Parameters] | None = None
    tt_metal: str = ""


Found = tuple["Span", str, "tuple[Fix, ...]"]
"""A place, a sentence, and fixes: what a check yields; the rule adds code and severity."""


@dataclass(frozen=True)
class Rule:
    """A rule, as data.

    Args:
        code: stable: TT001 and so on.
        name: a few words, stable as well.
        severity: how much it matters.
        why: the reason, for the catalogue and the hover.
        bad: an example that it finds.
        good: the same without the mistake.
        check: yields what is wrong in a document.
        language: of the examples.
        context: what the examples need to be known beyond themselves.
    """

    code: str
    name: str
    severity: Severity
    why: str
    bad: str
    good: str
    check: Callable[[Document, Context], Iterable[Found]]
    language: str = "python"
    context: Context = field(default_factory=Context)

    def findings(self, document: Document, context: Context) -> Iterable[Finding]:
        """What is wrong in a document, as findings."""
        for span, message, fixes in self.check(document, context):
            yield Finding(self.code, span, message, self.severity, fixes)
