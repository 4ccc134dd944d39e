"""Chat templates: where a checkpoint keeps them, and a sandbox that renders them.

The environment is the one that template authors test against, that of `transformers`: blocks are
trimmed, `raise_exception`, `strftime_now` and a `tojson` without HTML escapes exist, loops have
`break` and `continue`, and `{% generation %}` marks the model's own text.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import jinja2
from jinja2 import ext, nodes, sandbox

from ttdirect.generator.checkpoint import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jinja2.parser import Parser


class _Generation(ext.Extension):
    """`{% generation %}...{% endgeneration %}`: training marks that leave the text as it is."""

    tags = {"generation"}  # noqa: RUF012  jinja2's own declaration

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


def _environment() -> sandbox.ImmutableSandboxedEnvironment:
    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    names: dict[str, Any] = environment.globals
    names.update(raise_exception=_raise_exception, strftime_now=_strftime_now)
    return environment


class ChatTemplate:
    """Named templates: `default`, and `tool_use` for chats with tools where it exists."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self._texts = dict(templates)
        self.text = self._texts.get("default") or next(iter(self._texts.values()))
        self._compiled: dict[str, jinja2.Template] = {}

    def render(
        self,
        messages: Any,
        named_tokens: Mapping[str, str],
        *,
        add_generation_prompt: bool,
        **extra: Any,
    ) -> str:
        """Return the chat as text.

        Raises:
            ValueError: the template does not compile, or rejects the messages.
        """
        wants_tools = extra.get("tools") is not None and "tool_use" in self._texts
        text = self._texts["tool_use"] if wants_tools else self.text
        # Templates test whether a key is there; many print a None as "None".
        given = [{key: it for key, it in message.items() if it is not None} for message in messages]
        values = {"tools": None, "documents": None, **named_tokens, **extra}
        try:
            if text not in self._compiled:
                self._compiled[text] = _environment().from_string(text)
            return self._compiled[text].render(
                messages=given, add_generation_prompt=add_generation_prompt, **values
            )
        except jinja2.TemplateError as error:
            raise ValueError(f"The chat template rejects these messages: {error}") from error


def load_chat_template(folder: Path, settings: Mapping[str, Any]) -> ChatTemplate | None:
    """Return a checkpoint's chat template, or None.

    It may be in `chat_template.jinja` (with others in `additional_chat_templates/`), in
    `chat_template.json`, or in `tokenizer_config.json`, as a text or as a list of named ones.
    """
    templates: dict[str, str] = {}
    found: Any = settings.get("chat_template") or read_json(folder / "chat_template.json").get(
        "chat_template"
    )
    if isinstance(found, str):
        templates["default"] = found
    elif isinstance(found, list):
        listed = cast("list[dict[str, str]]", found)
        templates.update({entry["name"]: entry["template"] for entry in listed})
    elif isinstance(found, dict):
        templates.update(cast("dict[str, str]", found))
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        templates[path.stem] = path.read_text(encoding="utf-8")
    single = folder / "chat_template.jinja"
    if single.is_file():
        templates["default"] = single.read_text(encoding="utf-8")
    return ChatTemplate(templates) if templates else None
