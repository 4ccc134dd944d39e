"""The OpenAI-compatible API on the fake Generator, in this process or in one of its own.

`python openai_on_fakes.py` serves it on a free port; FAKE_CARD holds options as for `fake_card`.
"""

from __future__ import annotations

import json
from typing import Any

import flask

import fake_card
from byte_tokenizer import ByteTokenizer
from engine_on_fakes import make_engine
from fake_generator import FakeGenerator
from ttdirect import server
from ttdirect.engine import Engine
from ttdirect.server.openai import add_openai

ALIASES = ("my-model",)

SHOW = "show the prompt"
"""To a user who ends with this, the fake model says the whole prompt that it was given."""


class ToolTokenizer(ByteTokenizer):
    """A tokenizer of bytes whose chat template knows tools and a model's own switches."""

    chat_template = "one turn after another, tools first"

    def apply_chat_template(
        self,
        messages: list[dict[str, Any]],
        add_generation_prompt: bool = True,
        tokenize: bool = False,
        tools: Any = None,
        continue_final_message: bool = False,
        mood: str = "",
    ) -> Any:
        """The turns; tools and calls as JSON, so that they are seen in the prompt."""
        turns = [
            f"<|{message['role']}|>{message['content']}"
            + "".join(json.dumps(call["function"]) for call in message.get("tool_calls", ()))
            for message in messages
        ]
        text = f"<|begin|>{json.dumps(tools) if tools else ''}{mood}" + "<|end|>".join(turns)
        text += "" if continue_final_message else "<|end|>"
        text += "<|assistant|>" if add_generation_prompt else ""
        return self.encode(text, add_special_tokens=False) if tokenize else text

    def last_user_message(self, ids: list[int]) -> str:
        """As all do, but for a user who wants to see the prompt, special tokens and all."""
        message = super().last_user_message(ids)
        return f"say {self.decode(ids)}" if message.endswith(SHOW) else message


def answer(prompt: str) -> str | None:
    """What the fake model says: `say X` makes it say X; others as `fake_card` answers."""
    if prompt.startswith("say "):
        return prompt.removeprefix("say ")
    return fake_card.answer(prompt)


def make_api(**options: Any) -> tuple[flask.Flask, Engine]:
    """The app and its engine, not started; `options` are those of `make_engine`."""
    tokenizer = options.setdefault("tokenizer", ToolTokenizer())
    if "generator" not in options:
        sizes = {"max_seq_len": 1024, "max_batch_size": 4, "block_size": 8} | {
            name: options.pop(name)
            for name in ("max_seq_len", "max_batch_size", "step_seconds", "fail_at_step", "gate")
            if name in options
        }
        width = sizes["max_seq_len"] // sizes["block_size"]
        sizes["num_blocks"] = 1 + sizes["max_batch_size"] * width
        options["generator"] = FakeGenerator(answers=answer, tokenizer=tokenizer, **sizes)
        engine_sizes = ("max_seq_len", "max_batch_size", "block_size", "num_blocks")
        options |= {name: sizes[name] for name in engine_sizes}
    engine = make_engine(**options)
    app = flask.Flask("openai on fakes")
    server.protect(app)
    add_openai(app, engine, ALIASES)

    @app.get("/health")
    def health() -> Any:
        report = server.health_report(engine)
        return report, 200 if report["status"] == "healthy" else 503

    return app, engine


def main() -> None:
    """Serve until SIGTERM."""
    options = fake_card.options()
    gate = fake_card.FileGate(options.pop("hold_while", None))
    app, engine = make_api(gate=gate, **options)
    server.serve(app, engine, "127.0.0.1", 0)


if __name__ == "__main__":
    main()
