"""The script's text."""

import ast
import re
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ttdirect.script import render as render_module
from ttdirect.script.render import (
    ScriptSettings,
    TemplateError,
    default_limits,
    default_model,
    render,
)
from ttdirect.script.seal import is_as_rendered, seal

DEVICES = ["cpu", "cuda", "tenstorrent"]

# Python source is UTF-8, which has no lone surrogates; repr escapes them, so they are allowed.
any_text = st.text(st.characters())


def assigned(text, name):
    """Return the literal on the right of `name = ...` or `name = ... or literal`."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            value = node.value
            return ast.literal_eval(value.values[-1] if isinstance(value, ast.BoolOp) else value)
    raise AssertionError(f"{name} is not assigned")


@given(any_text, st.integers(1, 65535), any_text, st.sampled_from(DEVICES))
@example("@@PORT@@", 1, "@@", "cpu")
@example("\"\"\"'''\\", 65535, "\n\r\u2028\x00\ud800", "tenstorrent")
def test_any_setting_comes_back_as_the_same_literal(model, port, host, device):
    text = render(ScriptSettings(device, model, port, host))
    assert assigned(text, "MODEL") == model
    assert assigned(text, "PORT") == port
    assert assigned(text, "HOST") == host
    assert text.encode("utf-8")


def test_a_limit_replaces_the_template_s_number_alone():
    plain = render(ScriptSettings("cpu", "demo")).splitlines()[:-1]
    text = render(ScriptSettings("cpu", "demo", limits={"MAX_QUEUED": 7}))
    assert assigned(text, "MAX_QUEUED") == 7
    assert len([1 for old, new in zip(plain, text.splitlines(), strict=False) if old != new]) == 1


def test_the_default_limits_are_those_of_the_template():
    text = render(ScriptSettings("cpu", "demo"))
    limits = default_limits()
    assert {name: assigned(text, name) for name in limits} == limits
    assert limits["CACHE_TOKENS"] == 32_768


def test_a_limit_that_the_template_does_not_set_is_refused():
    with pytest.raises(TemplateError, match="sets no MAX_COWS"):
        render(ScriptSettings("cpu", "demo", limits={"MAX_COWS": 7}))


@pytest.mark.parametrize("device", DEVICES)
def test_the_template_renders_to_a_short_script_without_markers(device):
    text = render(ScriptSettings(device, default_model(device)))
    compile(text, "script", "exec")
    assert "@@" not in text
    assert 150 <= len(text.splitlines()) <= 225
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("device", "name", "modules"),
    [
        pytest.param("cpu", "the CPU", {"ttdirect", "ttdirect.generator"}, id="cpu"),
        pytest.param("cuda", "an NVIDIA GPU", {"ttdirect", "ttdirect.generator"}, id="cuda"),
        pytest.param(
            "tenstorrent",
            "a Tenstorrent device",
            {
                "ttnn",
                "models.tt_transformers.tt.common",
                "models.tt_transformers.tt.generator",
                "models.tt_transformers.tt.model_config",
            },
            id="tenstorrent",
        ),
    ],
)
def test_a_script_imports_the_generator_api_of_its_device(device, name, modules):
    text = render(ScriptSettings(device, "demo"))
    imported, names = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module)
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
            names.update(alias.name for alias in node.names)
    assert modules <= imported
    assert {
        "ttnn",
        "DecodersPrecision",
        "Generator",
        "PagedAttentionConfig",
        "create_tt_model",
    } <= names
    assert name in text


def test_the_two_scripts_differ_in_their_name_imports_hint_and_default_alone():
    def lines(device):
        text = render(ScriptSettings(device, default_model(device)))
        text = re.sub(r"(?ms)^with server.explained_imports\(\):$.*?^$", "", text)
        return text.splitlines()[:-1]  # without the seal

    pairs = list(zip(lines("cpu"), lines("tenstorrent"), strict=True))
    assert len([pair for pair in pairs if pair[0] != pair[1]]) == 3


def test_a_script_for_a_gpu_asks_for_it_unless_the_environment_goes_first():
    cpu, gpu = (render(ScriptSettings(device, "demo")) for device in ("cpu", "cuda"))
    [line] = [it.strip() for it in gpu.splitlines() if "TTDIRECT_DEVICE" in it]
    assert line.startswith('os.environ.setdefault("TTDIRECT_DEVICE", "cuda")  # ')
    assert "TTDIRECT_DEVICE" not in cpu


def test_the_cpu_has_a_default_model_and_a_card_has_none():
    assert default_model("cpu") == default_model("cuda") == "demo"
    assert default_model("tenstorrent") == ""


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(ValueError, match="a port is a number from 1 to 65535"):
        ScriptSettings("cpu", "demo", port)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param("@@MODEL@@", "markers missing or without a value: DEVICE_IMPORTS", id="few"),
        pytest.param("{all} @@TYPO@@", "without a value: TYPO", id="unknown"),
        pytest.param("{all} @@model@@", "an @@ that belongs to no marker", id="stray"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(monkeypatch, template, message):
    names = ("DEVICE_NAME", "DEVICE_IMPORTS", "INSTALL_HINT", "MODEL", "PORT", "HOST")
    text = template.replace("{all}", " ".join(f"@@{name}@@" for name in names))
    monkeypatch.setattr(render_module, "_read_template", lambda: text)
    with pytest.raises(TemplateError, match=message):
        render(ScriptSettings("cpu", "demo"))


@given(any_text, any_text)
def test_a_seal_holds_until_one_character_changes(text, other):
    sealed = seal(text)
    assert is_as_rendered(sealed)
    assert is_as_rendered(other) is False
    assert not is_as_rendered(sealed + "\n")
    assert not is_as_rendered("x" + sealed)
    assert not is_as_rendered(sealed.replace("\n", "\r\n"))


def test_the_script_package_brings_nothing_else_of_the_project():
    """The language server renders scripts too, and must not load flask or torch for it."""
    code = (
        "import sys, ttdirect.script.create, ttdirect.script.device\n"
        "print(*(name for name in sys.modules if name.startswith('ttdirect.')))\n"
        "print(*{'flask', 'torch', 'requests', 'ttnn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours, others = done.stdout.splitlines()
    assert all(name.startswith("ttdirect.script") for name in ours.split())
    assert others == ""
