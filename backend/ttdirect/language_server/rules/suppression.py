"""Comments that switch findings off: `# tt: ignore[TT003]`, or without brackets for all.

Such a comment counts for its own line, and one that has a line to itself for the next line, too. In
Markdown it is `<!-- tt: ignore[TT013] -->` above a paragraph or a block, and counts for all of it;
in front of a block's fence there is no other place for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.rules.finding import Finding

_COMMENT = re.compile(r"(?:#|<!--)\s*tt:\s*ignore\b(?:\[([\w\s,]*)\])?")


class Suppressions:
    """The comments of one document.

    Args:
        document: where they stand.
    """

    def __init__(self, document: Document) -> None:
        self._lines: dict[int, set[str] | None] = {}
        """The codes that are off in each line; None for all."""
        self._of = document.lines
        if "ignore" not in document.text:
            return
        for match in _COMMENT.finditer(document.text):
            line = self._of.line_of(match.start())
            codes = None if match[1] is None else set(re.findall(r"\w+", match[1]))
            self._add(line, codes)
            if not self._of.line_text(line)[: match.start() - self._of.start_of(line)].strip():
                for below in self._below(document, line):
                    self._add(below, codes)

    def hides(self, finding: Finding) -> bool:
        """Whether a comment switches a finding off."""
        line = self._of.line_of(finding.span.start)
        codes = self._lines.get(line, set[str]())
        return codes is None or finding.code in codes

    def _below(self, document: Document, line: int) -> range:
        """The lines that a comment on a line of its own speaks for."""
        if document.kind != "markdown":
            return range(line + 1, min(line + 2, len(self._of)))
        for block in [] if document.markdown is None else document.markdown.blocks:
            fence = self._of.line_of(block.fence)
            between = [self._of.line_text(it).strip() for it in range(line + 1, fence)]
            if fence > line and not any(between):
                return range(line + 1, self._of.line_of(block.span.end) + 1)
        return range(line + 1, min(line + 2, len(self._of)))

    def _add(self, line: int, codes: set[str] | None) -> None:
        known = self._lines.get(line, set[str]())
        self._lines[line] = None if codes is None or known is None else known | codes


def comment_for(document: Document, code: str, line: int) -> tuple[int, str]:
    """Where to insert what, so that a code is off in a line.

    Returns:
        An offset and the text to insert there.
    """
    lines = document.lines
    newline = "\r\n" if "\r\n" in document.text else "\n"
    if document.kind != "markdown":
        # A line that goes on in the next one, or ends in a string, has no room for a comment.
        start = lines.start_of(line)
        text = lines.line_text(line)
        indent = text[: len(text) - len(text.lstrip())]
        return start, f"{indent}# tt: ignore[{code}]{newline}"
    comment = f"<!-- tt: ignore[{code}] -->"
    offset = lines.start_of(line)
    for block in [] if document.markdown is None else document.markdown.blocks:
        if block.span.holds(offset):
            fence = lines.line_text(lines.line_of(block.fence))
            indent = fence[: len(fence) - len(fence.lstrip())]
            return block.fence, f"{indent}{comment}{newline}"
    return offset, f"{comment}{newline}"
