"""`ttdirect check`: what the language server would underline, on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdirect.cli.create import DEFAULT_PATH
from ttdirect.cli.errors import DID_NOT_WORK, CommandError
from ttdirect.cli.language_server import missing_package
from ttdirect.cli.terminal import Style, paint

if TYPE_CHECKING:
    import argparse

    from ttdirect.cli.parser import Commands
    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.rules.finding import Finding

_STYLES: dict[str, Style] = {"error": "red", "warning": "yellow", "information": "green"}


def add_parser(commands: Commands) -> None:
    """Add the subcommand `check`."""
    parser = commands.add(
        "check",
        summary="find mistakes in a server script",
        description="Look for mistakes in server scripts, and in the requests that Markdown and\n"
        "shell scripts show. docs/diagnostics.md describes them all; the comment\n"
        "`# tt: ignore[TT003]` switches one off for a line.\n"
        "The exit code is 0 when nothing is found and 1 otherwise.",
        examples=(
            "ttdirect check",
            "ttdirect check my-server.py README.md",
            "ttdirect check --json",
        ),
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help=f"Python, Markdown or shell files (default: {DEFAULT_PATH})",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a list of objects with file, line, column, code, severity and message",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is found, and return 1 if that is anything.

    Raises:
        CommandError: If a file cannot be read, or a package is missing.
    """
    try:
        from ttdirect.language_server.analysis.document import Document, kind_of  # noqa: PLC0415
        from ttdirect.language_server.assist.surroundings import (  # noqa: PLC0415 - optional
            context_of,
            find_clone,
            find_script,
        )
        from ttdirect.language_server.rules.catalogue import find  # noqa: PLC0415
    except ImportError as error:
        raise missing_package(error) from error

    def read(path: Path) -> Document:
        kind = kind_of("", str(path))
        if kind is None:
            raise CommandError(
                f"{path} is neither Python nor Markdown nor a shell script",
                fix="name files that end in .py, .md or .sh",
            )
        return Document(str(path), kind, _text_of(path))

    documents = [read(Path(name).expanduser()) for name in options.files or [DEFAULT_PATH]]
    # Without a script among the files, requests are compared with one in this folder.
    script = next((it for it in documents if it.python is not None), None)
    if script is None:
        path = find_script([Path.cwd()], None)
        script = None if path is None else read(path)
    context = context_of(script, None, find_clone(None))
    found = [(it, finding) for it in documents for finding in find(it, context)]
    if options.json:
        print(json.dumps([_as_json(*it) for it in found], indent=2))
    else:
        for it in found:
            print(_as_line(*it))
        broken = [it.uri for it in documents if it.is_broken]
        for name in broken:
            print(f"{name}: Python cannot read all of this file", file=sys.stderr)
    return DID_NOT_WORK if found else 0


def _text_of(path: Path) -> str:
    try:
        # As bytes, because reading text would change the line endings, and with them columns.
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read ({error.strerror})", fix="name the file: ttdirect check FILE"
        ) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8", fix="save it as UTF-8") from error


def _as_json(document: Document, finding: Finding) -> dict[str, Any]:
    line, column = document.lines.place(finding.span.start)
    return {
        "file": document.uri,
        "line": line + 1,
        "column": column + 1,
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "fixes": [fix.title for fix in finding.fixes],
    }


def _as_line(document: Document, finding: Finding) -> str:
    line, column = document.lines.place(finding.span.start)
    severity = finding.severity.value
    code = paint(f"{finding.code} {severity}", _STYLES[severity], sys.stdout)
    return f"{document.uri}:{line + 1}:{column + 1}: {code}: {finding.message}"
