"""What rules need to know beyond the document: the user's script, and the clone of tt-metal."""

from __future__ import annotations

import ast
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ttdirect.language_server.rules.finding import Context, Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.language_server.analysis.document import Document

SCRIPT_NAME = "tt-api-server-direct.py"

_GENERATOR = Path("models", "tt_transformers", "tt", "generator.py")
_FULL_NAMES = {"prefill_forward_text": "_prefill_forward_text_impl"}
"""In 2026 the public method takes anything; the names stand on the inner one."""


def port_of(script: Document) -> int | None:
    """The port that a script listens on when nobody says otherwise."""
    facts = script.python
    if facts is None:
        return None
    for name in ("PORT", "DEFAULT_PORT"):
        bindings = facts.module.bindings.get(name, [])
        value = facts.names.value(bindings[0].node, facts.module) if len(bindings) == 1 else None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def find_script(folders: list[Path], named: Path | None) -> Path | None:
    """The user's script: the one that the settings name, else the one in a folder of the editor."""
    for path in [*([named] if named else []), *(it / SCRIPT_NAME for it in folders)]:
        if path.is_file():
            return path
    return None


def find_clone(folder: str | None) -> Path | None:
    """The clone of tt-metal: of the settings, of TT_METAL_HOME, or in the home folder."""
    for name in (folder, os.environ.get("TT_METAL_HOME"), "~/tt-metal"):
        if name and (in_home(name) / _GENERATOR).is_file():
            return in_home(name)
    return None


def in_home(name: str) -> Path:
    """The path of a name that may begin with ~; `Path.expanduser` raises for unknown users."""
    return Path(os.path.expanduser(name))  # noqa: PTH111


def generator_of(clone: Path) -> Mapping[str, Parameters] | None:
    """The methods of a clone's Generator, from its source; None where that cannot be told."""
    try:
        status = (clone / _GENERATOR).stat()
        return _read_generator(clone / _GENERATOR, (status.st_mtime_ns, status.st_size))
    except (OSError, ValueError, SyntaxError):
        return None


@functools.lru_cache(maxsize=4)
def _read_generator(path: Path, _changed: tuple[int, int]) -> Mapping[str, Parameters] | None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        # A base class may have the methods as well, so such a Generator is not for us to judge.
        if isinstance(node, ast.ClassDef) and node.name == "Generator":
            bases = {ast.unparse(base) for base in node.bases} - {"object"}
            return None if bases else _methods(node)
    return None


def _methods(owner: ast.ClassDef) -> Mapping[str, Parameters]:
    found = {
        node.name: _parameters(node) for node in owner.body if isinstance(node, ast.FunctionDef)
    }
    for name, full in _FULL_NAMES.items():
        if name in found and full in found:
            found[name] = found[full]
    return found


def _parameters(function: ast.FunctionDef) -> Parameters:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    required = {
        it.arg
        for it, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if not default
    }
    return Parameters(
        frozenset(it.arg for it in (*plain, *given.kwonlyargs)),
        frozenset(required),
        given.kwarg is not None,
    )


def context_of(script: Document | None, settings_port: int | None, clone: Path | None) -> Context:
    """Everything that rules may know."""
    return Context(
        script_port=None if script is None else port_of(script),
        script_name=SCRIPT_NAME if script is None else script.uri.rpartition("/")[2],
        settings_port=settings_port,
        generator=None if clone is None else generator_of(clone),
        tt_metal="" if clone is None else str(clone),
    )
