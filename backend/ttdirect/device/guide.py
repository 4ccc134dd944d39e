"""The guide for owners of a card, section by section.

`when-a-card-fails.md` lies beside this module, so the wheel has it; the extension packs the same
file and opens it at the section that an error names.
"""

from __future__ import annotations

import re
from pathlib import Path

FILE = Path(__file__).with_name("when-a-card-fails.md")

_HEADING = re.compile(r"(?m)^## (.+)$")


def read_sections() -> dict[str, str]:
    """Return the text of each section with its heading, by the heading's name in links."""
    text = FILE.read_text(encoding="utf-8")
    starts = [*_HEADING.finditer(text)]
    ends = [*(match.start() for match in starts[1:]), len(text)]
    return {
        _name_in_links(match[1]): text[match.start() : end].strip()
        for match, end in zip(starts, ends, strict=True)
    }


def _name_in_links(heading: str) -> str:
    """As GitHub and VS Code make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
