"""Users' scripts run in this process, on the fake card, with a Flask client to ask them."""

import contextlib
import json
import os
import sys
from types import ModuleType, SimpleNamespace

import flask
import pytest

import fake_card
import ttdirect
from byte_tokenizer import ByteTokenizer
from engine_on_fakes import fake_initialize_model
from ttdirect.device import clone
from ttdirect.engine import Engine, State
from waiting import PATIENCE_SECONDS, wait_until

TT_METAL = ("common", "generator", "model_config")

MAKERS = {
    "engine_factory": lambda module: module.create_app(),
    "factory": lambda module: module.create_app(SimpleNamespace(ready=True, generate=say)),
    "hand_driven_on_cpu": lambda module: module.serve(SimpleNamespace(generator=1, say=say)),
    "nested_factory": lambda module: module.main([]),
    "tabs": lambda module: module.model.update(generate=say) or module.make_app(),
}
"""How to get at the app of scripts that make it in a function."""


def say(prompt, *_):
    return f"You said: {prompt}"


class Running:
    """A script that was run: its app, its engine if it has one, and what its model was told."""

    def __init__(self, module, app, engine):
        self.module = module
        self.app = app
        self.engine = engine
        self.chats = []

    @property
    def client(self):
        return self.app.test_client()

    def chat(self, prompt="hello", headers=None, path="/chat", **fields):
        body = {"prompt": prompt, **fields}
        return self.client.post(path, json=body, headers=headers)

    def system_prompt(self):
        """What the engine was told to put before every question."""
        return self.engine.ask.keywords["system"]

    def start(self):
        """Start the engine, and wait until it is ready."""
        self.engine.start()
        wait_until(lambda: self.engine.state is not State.LOADING, "the end of loading")
        assert self.engine.state is State.READY, self.engine.health().note
        return self


@contextlib.contextmanager
def running(name, source, step_seconds=0.0, **environment):
    """Run the script `name`, whose text is `source`; stopped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in [it for it in os.environ if it.startswith("TTDIRECT_")]:
            patch.delenv(variable)
        for variable in ("TTDIRECT_API_KEY", "TTDIRECT_CORS_ORIGINS", "TTDIRECT_DEVICE"):
            patch.setenv(variable, "")  # so that it is as before at the end, whoever sets it
            patch.delenv(variable)
        patch.delenv("SERVER_SOFTWARE", raising=False)
        patch.setenv("HF_MODEL", "fake-1b")
        patch.setenv("FAKE_CARD", json.dumps({"step_seconds": step_seconds}))
        for variable, value in environment.items():
            patch.setenv(variable, value)
        engines, apps = [], []
        _record(patch, Engine, engines)
        _record(patch, flask.Flask, apps)
        patch.setattr(flask.Flask, "run", lambda *_, **__: None)
        _stand_in_for_packages(patch, engines, step_seconds)
        module = ModuleType(name)
        patch.setitem(sys.modules, name, module)  # dataclasses look there
        exec(compile(source.removeprefix("\ufeff"), name, "exec"), module.__dict__)
        if name in MAKERS:
            MAKERS[name](module)
        [app] = apps
        script = Running(module, app, engines[0] if engines else None)
        patch.setattr(ByteTokenizer, "apply_chat_template", _listening(script.chats))
        try:
            yield script
        finally:
            for engine in engines:
                engine.drain(0.0)
                if engine.state is not State.LOADING:
                    assert engine.join(PATIENCE_SECONDS), "the engine did not stop"
            fake_card.generators.clear()


def _record(patch, owner, made):
    """Note every object that is made of a class."""
    original = owner.__init__

    def init(self, *arguments, **options):
        made.append(self)
        original(self, *arguments, **options)

    patch.setattr(owner, "__init__", init)


def _stand_in_for_packages(patch, engines, step_seconds):
    """The device, tt-metal, this package's Generator, and a model of the user's own."""

    def load(phase):
        [engine] = engines
        return fake_initialize_model(
            max_batch_size=engine.max_batch_size,
            max_seq_len=engine.max_seq_len,
            block_size=engine.block_size,
            num_blocks=engine.num_blocks,
            answers=fake_card.answer,
            step_seconds=step_seconds,
        )(phase)

    own = ModuleType("my_model")
    own.load, own.generate = load, say
    patch.setitem(sys.modules, "my_model", own)
    patch.setattr(ttdirect, "generator", fake_card, raising=False)
    patch.setattr(clone, "enter", lambda: None)  # there is no folder of tt-metal to go to
    patch.setattr(fake_card, "SamplingParams", dict, raising=False)
    for module in ("ttnn", "ttdirect.generator"):
        patch.setitem(sys.modules, module, fake_card)
    for package in ("models", "models.tt_transformers", "models.tt_transformers.tt"):
        patch.setitem(sys.modules, package, ModuleType(package))
        sys.modules[package].__path__ = []
    for module in TT_METAL:
        patch.setitem(sys.modules, f"models.tt_transformers.tt.{module}", fake_card)


def _listening(chats):
    """The tokenizer's chat template, which notes the messages that it gets."""
    original = ByteTokenizer.apply_chat_template

    def apply_chat_template(self, messages, *arguments, **options):
        chats.append(messages)
        return original(self, messages, *arguments, **options)

    return apply_chat_template
