"""`ttdirect serve`: one server, one code path. A stand-in script tells what it was run with."""

import json
import os
import sys

import pytest

from ttdirect.cli import serve
from ttdirect.cli.main import main

SCRIPT = """\
import argparse, json, os, sys
OPTION = "--open"
report = {"argv": sys.argv, "name": __name__, "HF_MODEL": os.environ.get("HF_MODEL")}
report["main"] = sys.modules["__main__"].__dict__ is globals()
print(json.dumps(report))
"""


@pytest.fixture
def script(monkeypatch):
    """Replace the rendered script's text, and return the settings of each rendering."""

    def use(text=SCRIPT):
        rendered = []

        def render(settings):
            rendered.append(settings)
            return text

        monkeypatch.setattr(serve, "render", render)
        return rendered

    monkeypatch.setattr(os, "environ", dict(os.environ))
    return use


def test_the_script_runs_as_the_main_program(capsys, script):
    script()
    own_argv, own_main = sys.argv, sys.modules["__main__"]
    assert main(["serve"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out) == {
        "argv": ["ttdirect serve", "--port", "8080", "--host", "127.0.0.1"],
        "name": "__main__",
        "HF_MODEL": None,
        "main": True,
    }
    assert output.err == (
        "Device: cpu. No /dev/no-card, so the CPU answers.\n"
        "Limits: 32 requests at a time and 64 waiting, each with up to 2048 tokens and 600 s; "
        "KV cache for 32768 tokens in blocks of 32.\n"
    )
    assert (sys.argv, sys.modules["__main__"]) == (own_argv, own_main)


def test_options_that_the_script_takes_are_passed_on(capsys, script):
    script()
    assert main(["serve", "--open", "5", "--port", "9000", "--host", "0.0.0.0"]) == 0
    argv = json.loads(capsys.readouterr().out)["argv"]
    assert argv[1:] == ["--port", "9000", "--host", "0.0.0.0", "--open", "5"]


def test_options_that_nobody_takes_are_refused_before_anything_is_loaded(capsys, script):
    script()
    assert main(["serve", "--modle=x"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "'ttdirect serve' has no option '--modle'; did you mean '--model'?" in output.err


@pytest.mark.parametrize(
    ("typed", "environment", "rendered", "passed"),
    [
        pytest.param(None, None, "demo", None, id="the default"),
        pytest.param(None, "env/model", "env/model", "env/model", id="HF_MODEL beats the default"),
        pytest.param("my/model", "env/model", "my/model", "my/model", id="--model beats both"),
        pytest.param("my/model", None, "my/model", "my/model", id="--model alone"),
        pytest.param(None, "", "demo", "", id="an empty HF_MODEL is none"),
    ],
)
def test_the_model_is_what_was_typed_then_hf_model_then_the_default(
    capsys, script, typed, environment, rendered, passed
):
    settings = script()
    if environment is not None:
        os.environ["HF_MODEL"] = environment
    assert main(["serve", *(["--model", typed] if typed else [])]) == 0
    assert settings[0].model == rendered
    assert json.loads(capsys.readouterr().out)["HF_MODEL"] == passed


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('error: no card\\nfix:   buy one')", 1, "error: no card\nfix:"),
    ],
)
def test_the_script_decides_about_the_exit_code(capsys, script, ending, code, said):
    script(ending)
    assert main(["serve"]) == code
    assert said in capsys.readouterr().err


def test_ctrl_c_that_the_script_does_not_take_is_130(script):
    script("raise KeyboardInterrupt")
    assert main(["serve"]) == 130


def test_an_unforeseen_error_shows_the_lines_of_the_script_and_none_of_ours(capsys, script):
    script("def load():\n    raise OSError('no weights')\n\nload()\n")
    assert main(["serve"]) == 1
    err = capsys.readouterr().err
    assert 'File "<ttdirect serve>", line 2, in load\n    raise OSError' in err
    assert "cli/serve.py" not in err
    assert "error: the server ended with an error that it did not expect\nfix:   read" in err
