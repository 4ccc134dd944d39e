"""The settings of `ttdirect serve`: where they come from, and which of them are refused."""

import argparse
import importlib
import os
import re

import pytest

from ttdirect.cli import serve, serve_settings
from ttdirect.cli.main import main
from ttdirect.engine import Engine
from ttdirect.engine.groups import BATCH_SIZES
from ttdirect.script.render import default_limits, render

LIMITS = [setting for setting in serve_settings.SETTINGS if setting.group in ("limits", "KV cache")]


@pytest.fixture
def started(monkeypatch, capsys):
    """Run `ttdirect serve` up to the script's start; returns the script's settings, and stderr."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    texts = []

    def run(*arguments):
        monkeypatch.setattr(
            serve, "_run_script", lambda text, argv: texts.append((text, argv)) or 0
        )
        code = main(["serve", *arguments])
        err = capsys.readouterr().err
        if code:
            return code, err
        text, argv = texts[-1]
        numbers = dict(re.findall(r"(?m)^([A-Z_]+) = (\d+)", text))
        return {**{name: int(value) for name, value in numbers.items()}, "argv": argv}, err

    return run


@pytest.fixture
def config(tmp_path):
    """Write a settings file and return its path."""

    def write(text):
        file = tmp_path / "server.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)

    return write


def test_a_flag_goes_before_the_environment_before_the_file_before_the_default(started, config):
    file = config("max_queued = 7\nmax_batch_size = 4\nmax_seq_len = 4096\n")
    os.environ["TTDIRECT_MAX_BATCH_SIZE"] = "8"
    os.environ["TTDIRECT_MAX_SEQ_LEN"] = "1024"
    in_force, err = started("--config", file, "--max-seq-len", "512")
    assert in_force["MAX_SEQ_LEN"] == 512
    assert in_force["MAX_BATCH_SIZE"] == 8
    assert in_force["MAX_QUEUED"] == 7
    assert in_force["BLOCK_SIZE"] == default_limits()["BLOCK_SIZE"]
    limits, given = err.splitlines()[1:]
    assert limits == (
        "Limits: 8 requests at a time and 7 waiting, each with up to 512 tokens and 600 s; "
        "KV cache for 32768 tokens in blocks of 32."
    )
    assert given == (
        f"Set: max_batch_size 8 (TTDIRECT_MAX_BATCH_SIZE), max_queued 7 ({file}), "
        "max_seq_len 512 (--max-seq-len)."
    )


def test_every_limit_of_the_script_is_a_setting_and_the_other_way_round():
    assert {setting.name.upper() for setting in LIMITS} == set(default_limits())


@pytest.mark.parametrize("setting", LIMITS, ids=lambda setting: setting.name)
def test_every_limit_reaches_the_script_by_every_way(started, config, setting):
    value = {"max_batch_size": 16, "data_parallel": 4, "max_seq_len": 256, "block_size": 64}.get(
        setting.name, 200
    )
    ways = [(setting.flag, str(value)), ("--config", config(f"{setting.name} = {value}"))]
    for way in ways:
        assert started(*way)[0][setting.name.upper()] == value
    os.environ[setting.environment] = str(value)
    assert started()[0][setting.name.upper()] == value


def test_address_and_model_come_from_anywhere_too(started, config):
    file = config('host = "::1"\nport = 9000\nmodel = "file/model"\n')
    in_force, err = started("--config", file)
    assert in_force["argv"] == ["--port", "9000", "--host", "::1"]
    assert f"model file/model ({file})" in err
    os.environ["TTDIRECT_PORT"] = "9001"
    os.environ["HF_MODEL"] = "env/model"
    in_force, err = started("--config", file)
    assert in_force["PORT"] == 9001
    assert "model env/model (HF_MODEL)" in err
    assert os.environ["HF_MODEL"] == "env/model"


def test_the_precision_reaches_the_script_through_its_environment(started, config):
    assert "Set: precision bf16 (--precision)." in started("--precision", "bf16")[1]
    assert os.environ["TTDIRECT_PRECISION"] == "bf16"
    del os.environ["TTDIRECT_PRECISION"]
    started("--config", config('precision = "int4"'))
    assert os.environ["TTDIRECT_PRECISION"] == "int4"


@pytest.mark.parametrize("before", [None, "auto", "cpu", "tenstorrent"])
def test_a_gpu_reaches_the_generator_through_the_environment(started, before):
    if before:
        os.environ["TTDIRECT_DEVICE"] = before
    assert started("--device", "cuda")[1].startswith("Device: cuda. As --device says.\n")
    assert os.environ["TTDIRECT_DEVICE"] == "cuda"


def test_a_flag_for_the_cpu_goes_before_a_variable_for_a_gpu(started):
    os.environ["TTDIRECT_DEVICE"] = "cuda"
    started("--device", "cpu")
    assert os.environ["TTDIRECT_DEVICE"] == "cpu"


def test_an_open_address_without_a_key_is_the_script_s_to_allow(started):
    assert started("--no-api-key")[0]["argv"][-1] == "--no-api-key"


def test_the_device_s_reason_is_where_it_was_chosen(started):
    os.environ["TTDIRECT_DEVICE"] = "cpu"
    assert started()[1].startswith("Device: cpu. As TTDIRECT_DEVICE says.\n")


def test_an_empty_variable_is_none(started):
    os.environ["TTDIRECT_MAX_QUEUED"] = " "
    in_force, err = started()
    assert in_force["MAX_QUEUED"] == default_limits()["MAX_QUEUED"]
    assert "Set:" not in err


@pytest.mark.parametrize(
    ("flag", "value", "what"),
    [
        ("--max-batch-size", "7", "max_batch_size must be one of 1, 2, 4, 8, 16, 32, not '7'"),
        ("--max-seq-len", "1000", "max_seq_len must be a power of two from 128 to 1048576"),
        ("--max-seq-len", "64", "max_seq_len must be a power of two from 128"),
        ("--max-queued", "-1", "max_queued must be a whole number from 0 to 10000, not '-1'"),
        ("--request-timeout", "0", "request_timeout must be a whole number from 1 to 86400"),
        ("--request-timeout", "1.5", "not '1.5' (from --request-timeout)"),
        ("--block-size", "24", "block_size must be one of 16, 32, 64, 128"),
        ("--cache-tokens", "9" * 30, "cache_tokens must be a whole number from 128"),
        ("--port", "70000", "port must be a whole number from 1 to 65535"),
        ("--device", "gpu", "device must be one of auto, cpu, cuda, tenstorrent, not 'gpu'"),
        ("--precision", "int2", "precision must be one of auto, fp32, bf16, int8, int4"),
        ("--host", " ", "host must be a text that is not empty"),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_has_to_be(started, flag, value, what):
    code, err = started(f"{flag}={value}")
    assert code == 2
    assert what in err
    assert err.endswith("fix:   ttdirect serve --help shows every setting\n")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("max_batchsize = 8", "sets 'max_batchsize', which is no setting; did you mean"),
        ("MAX_QUEUED = 8", "sets 'MAX_QUEUED', which is no setting"),
        ("[server]\nport = 1", "sets 'server', which is no setting"),
        ("port = [1]", "gives 'port' more than one value"),
        ("port = true", "port must be a whole number from 1 to 65535, not True"),
        ("port = 1.0", "port must be a whole number from 1 to 65535, not 1.0"),
        ("model = 3", "model must be a text that is not empty, not 3"),
        ("port 8080", "is no TOML: "),
        (b"\xff", "is no TOML: "),
    ],
)
def test_a_file_with_a_mistake_is_refused(started, config, text, what):
    file = config(text)
    code, err = started("--config", file)
    assert code == 2
    assert what in err
    assert file in err


def test_a_file_that_is_not_there_is_told(started):
    code, err = started("--config", "/no/such/file")
    assert code == 2
    assert "error: /no/such/file cannot be read: No such file or directory" in err


def test_a_python_without_toml_is_told_what_to_install(started, config, monkeypatch):
    real = importlib.import_module

    def without_toml(name, *more):
        if name in ("tomllib", "tomli"):
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(serve_settings.importlib, "import_module", without_toml)
    code, err = started("--config", config("port = 9000"))
    assert code == 2
    assert "pip install tomli" in err


def test_the_help_shows_each_setting_with_its_variable_and_default(capsys):
    main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for setting in serve_settings.SETTINGS:
        assert setting.flag in text
        assert setting.environment in text
    assert "TTDIRECT_MAX_BATCH_SIZE, default: 32" in text


def test_the_batch_sizes_are_those_of_the_engine():
    setting = next(s for s in LIMITS if s.name == "max_batch_size")
    assert [setting.read(size) for size in BATCH_SIZES] == list(BATCH_SIZES)


@pytest.mark.parametrize(
    "choice", [{}, {"block_size": 16}, {"block_size": 128, "max_seq_len": 128}]
)
def test_the_engine_takes_what_the_settings_allow(choice):
    options = argparse.Namespace(config=None, **{s.name: None for s in serve_settings.SETTINGS})
    for name, value in choice.items():
        setattr(options, name, str(value))
    chosen = serve_settings.choose(options, {})
    script, _ = serve._script_settings(chosen)
    compile(render(script), "script", "exec")
    limits = {name.lower(): value for name, value in script.limits.items()}
    blocks = limits.pop("cache_tokens") // limits["block_size"] + 1
    timeout = limits.pop("request_timeout")
    Engine(lambda phase: None, num_blocks=blocks, timeout_seconds=timeout, **limits)
