"""The fenced blocks of a Markdown file, and the commands and requests in them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ttdirect.language_server.analysis.python_reader import read_python
from ttdirect.language_server.analysis.requests import (
    request_of_curl,
    request_of_json,
    requests_of_http,
    requests_of_python,
)
from ttdirect.language_server.analysis.shell import read_commands
from ttdirect.language_server.analysis.source import Source, Span

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

    from ttdirect.language_server.analysis.lines import LineIndex
    from ttdirect.language_server.analysis.requests import Request
    from ttdirect.language_server.analysis.shell import Command

Language = Literal["shell", "python", "json", "http"]

_LANGUAGES: dict[str, Language] = {
    "sh": "shell",
    "bash": "shell",
    "shell": "shell",
    "shellscript": "shell",
    "zsh": "shell",
    "console": "shell",
    "shell-session": "shell",
    "python": "python",
    "py": "python",
    "python3": "python",
    "json": "json",
    "jsonc": "json",
    "http": "http",
    "rest": "http",
}
_SESSIONS = frozenset({"console", "shell-session"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block in one of our languages.

    Args:
        language: which.
        source: its content.
        span: its content in the document.
        fence: the offset of the opening fence.
    """

    language: Language
    source: Source
    span: Span
    fence: int


@dataclass(slots=True)
class MarkdownFacts:
    """What a Markdown file, or a shell file taken as a single block, shows."""

    blocks: list[Block] = field(default_factory=list[Block])
    commands: list[Command] = field(default_factory=list["Command"])
    requests: list[Request] = field(default_factory=list["Request"])


def read_markdown(text: str, lines: LineIndex) -> MarkdownFacts:
    """The facts of a Markdown text."""
    facts = MarkdownFacts()
    for token in _markdown().parse(text):
        if token.type == "fence" and token.map is not None:
            words = token.info.split()
            name = words[0].lower().strip("{.}") if words else ""
            block = _block(name, token.content, token.map[0], lines)
            if block is not None:
                _add(facts, block)
    return facts


def read_shell(text: str) -> MarkdownFacts:
    """The facts of a shell script."""
    facts = MarkdownFacts()
    _add(facts, Block("shell", Source(text), Span(0, len(text)), 0))
    return facts


def _add(facts: MarkdownFacts, block: Block) -> None:
    facts.blocks.append(block)
    source = block.source
    if block.language == "shell":
        commands = read_commands(source)
        facts.commands.extend(commands)
        found = [request_of_curl(command, source) for command in commands]
    elif block.language == "python":
        found = list(requests_of_python(read_python(source)))
    elif block.language == "http":
        found = list(requests_of_http(source))
    else:
        found = [request_of_json(source)]
    facts.requests.extend(request for request in found if request is not None)


def _block(name: str, content: str, fence_line: int, lines: LineIndex) -> Block | None:
    language = _LANGUAGES.get(name)
    if language is None:
        return None
    rows = content.split("\n")[:-1] if content.endswith("\n") else content.split("\n")
    places: list[tuple[int, int]] = []
    offset = 0
    for number, row in enumerate(rows, fence_line + 1):
        line = lines.line_text(number) if number < len(lines) else ""
        if not line.endswith(row):  # a tab that the parser has split
            return None
        places.append((offset, lines.end_of(number) - len(row)))
        offset += len(row) + 1
    if not places:
        return None
    if name in _SESSIONS:
        content = _typed(content)
    source = Source(content, places)
    start, end = places[0][1], places[-1][1] + len(rows[-1])
    return Block(language, source, Span(start, end), lines.start_of(fence_line))


def _typed(session: str) -> str:
    """What was typed in a terminal's session; prompts and what was printed become spaces."""
    kept: list[str] = []
    command, goes_on = "", False
    has_prompts = re.search(r"(?m)^[$#>] ", session) is not None
    for row in session.split("\n"):
        is_prompt = re.match(r"[$#>] ", row) is not None
        if is_prompt or goes_on or not has_prompts:
            kept.append("  " + row[2:] if is_prompt else row)
            command = row if is_prompt else command + row
            goes_on = row.endswith("\\") or command.count("'") % 2 == 1
        else:
            kept.append(" " * len(row))
            goes_on = False
    return "\n".join(kept)


@functools.cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - a Python file does without it

    return MarkdownIt("commonmark").disable("inline")  # only blocks count here
