"""What the names of the Generator API, the engine and the server mean.

It is read from the package's own source text, as data: importing it would import torch.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ttdirect

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(ttdirect.__file__).parent
_SAME = (
    "ttnn",
    "models.tt_transformers.tt.common",
    "models.tt_transformers.tt.generator",
    "models.tt_transformers.tt.model_config",
)
"""Modules whose names `ttdirect.generator` has as well."""
_ARGUMENT = re.compile(r"(?m)^(\w+):\s")


@dataclass(frozen=True)
class Entry:
    """A class or function.

    Args:
        name: its last word.
        parameters: each as it is written, such as `seed: int | None = None`; without `self`.
        returns: the annotation of its result, or "".
        text: its docstring, in Markdown.
        arguments: what the docstring says of each parameter.
        is_class: whether it is a class.
    """

    name: str
    parameters: tuple[str, ...]
    returns: str
    text: str
    arguments: dict[str, str]
    is_class: bool

    @property
    def signature(self) -> str:
        """As one would write it down."""
        arrow = f" -> {self.returns}" if self.returns and not self.is_class else ""
        return f"{self.name}({', '.join(self.parameters)}){arrow}"


def entry_of(symbols: frozenset[str]) -> Entry | None:
    """What the first of these symbols that is known means; None if none is."""
    for symbol in sorted(symbols):
        for start in _SAME:
            if symbol.startswith(f"{start}."):
                symbol = f"ttdirect.generator{symbol[len(start) :]}"  # noqa: PLW2901
        if symbol.startswith("ttdirect."):
            entry = _entry(symbol)
            if entry is not None:
                return entry
    return None


@functools.lru_cache(maxsize=256)
def _entry(symbol: str) -> Entry | None:
    found = _find(symbol.split("."))
    return None if found is None else _describe(*found)


_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _find(parts: list[str]) -> tuple[_Definition, ast.Module] | None:
    """The definition of a dotted name of our package, and the module that it is in."""
    path, rest = _PACKAGE, parts[1:]
    while rest and (path / rest[0]).is_dir():
        path, rest = path / rest[0], rest[1:]
    if rest and (path / f"{rest[0]}.py").is_file():
        path, rest = path / f"{rest[0]}.py", rest[1:]
    else:
        path = path / "__init__.py"
    if not rest or not path.is_file():
        return None
    module = _module(path)
    found = _in_module(rest[0].removesuffix("()"), module)
    for position, name in enumerate(rest[1:]):
        if found is None:
            return None
        owner, module = found
        if isinstance(owner, ast.FunctionDef) and rest[position].endswith("()"):
            returned = _in_module(_plain(owner.returns), module)
            if returned is None:
                return None
            owner, module = returned
        found = _in_class(name.removesuffix("()"), owner, module)
    return found


def _in_module(name: str, module: ast.Module) -> tuple[_Definition, ast.Module] | None:
    for node in _statements(module):
        if isinstance(node, _Definition) and node.name == name:
            return node, module
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ttdirect."):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _find([*str(node.module).split("."), alias.name])
    return None


def _statements(module: ast.Module) -> Iterator[ast.stmt]:
    for node in module.body:
        yield node
        if isinstance(node, ast.If):  # if TYPE_CHECKING:
            yield from node.body


def _in_class(
    name: str, owner: _Definition, module: ast.Module
) -> tuple[_Definition, ast.Module] | None:
    if not isinstance(owner, ast.ClassDef):
        return None
    for node in owner.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return node, module
    for base in owner.bases:
        found = _in_module(_plain(base), module)
        inherited = None if found is None else _in_class(name, *found)
        if inherited is not None:
            return inherited
    return None


def _plain(annotation: ast.expr | None) -> str:
    return "" if annotation is None else ast.unparse(annotation).partition("[")[0]


@functools.cache
def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _describe(node: _Definition, module: ast.Module) -> Entry:
    made = node
    if isinstance(node, ast.ClassDef):
        found = _in_class("__init__", node, module)
        made = node if found is None else found[0]
    text = ast.get_docstring(node) or ""
    parameters = () if isinstance(made, ast.ClassDef) else tuple(_parameters(made))
    if isinstance(made, ast.ClassDef):  # a dataclass, most likely
        fields = [it for it in made.body if isinstance(it, ast.AnnAssign)]
        parameters = tuple(ast.unparse(it) for it in fields)
    returns = (
        "" if isinstance(made, ast.ClassDef) or made.returns is None else ast.unparse(made.returns)
    )
    return Entry(
        node.name,
        parameters,
        returns,
        _markdown(text),
        _arguments(text),
        isinstance(node, ast.ClassDef),
    )


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    for argument, default in zip(plain, defaults, strict=True):
        if argument.arg not in ("self", "cls"):
            yield _written(argument, default)
    if given.vararg is not None:
        yield f"*{ast.unparse(given.vararg)}"
    elif given.kwonlyargs:
        yield "*"
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _written(argument, default)
    if given.kwarg is not None:
        yield f"**{ast.unparse(given.kwarg)}"


def _written(argument: ast.arg, default: ast.expr | None) -> str:
    text = ast.unparse(argument)
    if default is None:
        return text
    return (
        f"{text} = {ast.unparse(default)}"
        if argument.annotation
        else f"{text}={ast.unparse(default)}"
    )


def _markdown(docstring: str) -> str:
    """A docstring in Google's style with its sections as lists."""
    lines: list[str] = []
    section = False
    for line in inspect.cleandoc(docstring).splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Yields):", line):
            lines.append(f"**{line.rstrip(':')}**\n")
            section = True
        elif section and re.match(r" {4}\w[\w, ]*: ", line):
            name, _, what = line.strip().partition(": ")
            lines.append(f"- `{name}`: {what}")
        elif section and line.startswith(" "):
            lines.append(f"  {line.strip()}")
        else:
            section = section and not line
            lines.append(line)
    return "\n".join(lines)


def _arguments(docstring: str) -> dict[str, str]:
    _, _, section = inspect.cleandoc(docstring).partition("Args:\n")
    body = re.split(r"\n(?=\S)", section)[0]
    body = inspect.cleandoc(f"\n{body}")
    marks = list(_ARGUMENT.finditer(body))
    ends = [*(mark.start() for mark in marks), len(body)][1:]
    return {
        mark[1]: " ".join(body[mark.end() : end].split())
        for mark, end in zip(marks, ends, strict=True)
    }
