"""All rules, and what they find in a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.language_server.rules import (
    access,
    fields,
    flask_settings,
    generator_calls,
    limits,
    loading,
    ports,
    secrets,
    threads,
    workers,
)
from ttdirect.language_server.rules.suppression import Suppressions

if TYPE_CHECKING:
    from collections.abc import Collection

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.rules.finding import Context, Finding

RULES = (
    access.RULE,
    workers.RULE,
    loading.IN_REQUEST,
    loading.AT_IMPORT,
    threads.UNLOCKED,
    limits.RULE,
    secrets.HARD_CODED,
    flask_settings.DEBUG,
    flask_settings.LIMITER,
    secrets.COMPARED,
    threads.SINGLE_THREADED,
    threads.BLOCKING_HEALTH,
    ports.RULE,
    fields.UNKNOWN_FIELD,
    fields.WRONG_FIELD,
    fields.MISSING_FIELD,
    generator_calls.SHAPES,
    generator_calls.SIGNATURE,
)
"""In the order of their codes."""


def find(document: Document, context: Context, off: Collection[str] = ()) -> list[Finding]:
    """Everything that is wrong in a document, from top to bottom.

    Args:
        document: what to look at.
        context: what is known beyond it.
        off: codes of rules that are switched off.
    """
    found = [
        finding
        for rule in RULES
        if rule.code not in off
        for finding in rule.findings(document, context)
    ]
    hidden = Suppressions(document)
    return sorted(
        (it for it in found if not hidden.hides(it)), key=lambda it: (it.span, it.code, it.message)
    )
