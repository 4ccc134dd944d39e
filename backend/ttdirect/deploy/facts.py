"""What the user's script says of itself, read from its text: nothing of it is run."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.script.render import DEFAULT_PORT, default_limits, limits_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ttdirect.script.device import Device


class NotDeployableError(Exception):
    """The script cannot be served by gunicorn.

    `fix` is a sentence that says what to do about it.
    """

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class ScriptFacts:
    """What a script says of itself.

    Args:
        path: the script, with its full path.
        device: what its imports are made for.
        port: the number that it sets as PORT.
        model: what it sets as MODEL, empty for a script that leaves it to HF_MODEL.
        answered: requests that it answers at the same time, MAX_BATCH_SIZE.
        waiting: requests that may wait, MAX_QUEUED.
        answer_seconds: the longest that a request may take, REQUEST_TIMEOUT.
    """

    path: Path
    device: Device
    port: int
    model: str
    answered: int
    waiting: int
    answer_seconds: int

    @property
    def module(self) -> str:
        """The name under which gunicorn imports the script."""
        return self.path.stem


def read_script(path: Path) -> ScriptFacts:
    """Return what the script at `path` says of itself.

    Raises:
        NotDeployableError: If there is none, or gunicorn could not serve it.
    """
    path = path.absolute()
    again = "write a new script with: ttdirect create"
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except FileNotFoundError as error:
        raise NotDeployableError(
            f"there is no script at {path}",
            fix="write one with: ttdirect create; or name yours: ttdirect deploy ./server.py ...",
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
        raise NotDeployableError(
            f"{path} cannot be read as a Python script: {reason}", fix=again
        ) from error
    if path.suffix != ".py" or not re.fullmatch(r"[\w-]+", path.stem, re.ASCII):
        raise NotDeployableError(
            f"gunicorn cannot import, and systemd not name, a script that is called {path.name}",
            fix="give it a name like server.py",
        )
    settings = dict(_settings(tree))
    if "app" not in settings or "start_in_gunicorn" not in text:
        lacks = "has no `app`" if "app" not in settings else "does not call start_in_gunicorn"
        raise NotDeployableError(f"{path} {lacks}, so gunicorn cannot serve it", fix=again)
    limits = default_limits() | limits_in(text)
    port = settings.get("PORT")
    return ScriptFacts(
        path=path,
        device=_device(tree),
        port=port if isinstance(port, int) else DEFAULT_PORT,
        model=str(settings.get("MODEL") or ""),
        answered=limits["MAX_BATCH_SIZE"],
        waiting=limits["MAX_QUEUED"],
        answer_seconds=limits["REQUEST_TIMEOUT"],
    )


def _settings(tree: ast.Module) -> Iterator[tuple[str, object]]:
    """Yield the names that a script sets at its top level, with their values where they are plain.

    `os.environ.get("HF_MODEL") or "demo"` counts as "demo".
    """
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if isinstance(value, ast.BoolOp):
            value = value.values[-1]
        yield name, value.value if isinstance(value, ast.Constant) else None


def _device(tree: ast.Module) -> Device:
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    if "ttnn" in names:
        return "tenstorrent"
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return "cuda" if {"TTDIRECT_DEVICE", "cuda"} <= texts else "cpu"
