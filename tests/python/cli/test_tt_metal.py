"""Finding tt-metal on a card's host, and installing into its environment without moving a pin."""

import importlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.driver_files import fake_driver, write
from ttdirect.cli import settings, tt_metal
from ttdirect.cli.errors import CommandError
from ttdirect.cli.main import main
from ttdirect.cli.tt_metal import TtMetal, find_tt_metal
from ttdirect.script import device
from ttdirect.script.device import DetectedDevice

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

PROJECT = Path(__file__).parents[3] / "pyproject.toml"


def make_clone(folder, *, packages=("ttnn-0.61.0.dist-info", "pip")):
    """Make a clone of tt-metal, with an environment that holds `packages`."""
    (folder / "models" / "tt_transformers").mkdir(parents=True)
    if packages:
        python = folder / "python_env/bin/python"
        write(python, "#!/bin/sh")
        python.chmod(0o755)
        for name in packages:
            (folder / "python_env/lib/python3.10/site-packages" / name).mkdir(parents=True)
    return folder


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


# Where it is


def test_the_option_goes_before_the_variable_the_path_and_the_home_folder(
    tmp_path, monkeypatch, plain_environment
):
    option, variable, path = (make_clone(tmp_path / name) for name in ("option", "home", "path"))
    usual = make_clone(plain_environment / "tt-metal")

    def found(flag=None):
        clone = find_tt_metal(flag)
        return clone.folder, clone.named_by

    assert found() == (usual, "~/tt-metal")
    monkeypatch.syspath_prepend(path)
    assert found() == (path, "PYTHONPATH")
    monkeypatch.setenv("TT_METAL_HOME", str(variable))
    assert found() == (variable, "TT_METAL_HOME")
    assert found(str(option)) == (option, "--tt-metal")


def test_the_usual_folders_are_looked_through_in_order(tmp_path, monkeypatch, plain_environment):
    usual = (str(tmp_path / "image"), str(tmp_path / "container"))
    monkeypatch.setattr("ttdirect.device.clone.USUAL_FOLDERS", ("~/tt-metal", *usual))
    (plain_environment / "tt-metal").mkdir()  # some folder of that name
    assert find_tt_metal() is None
    for folder in reversed(usual):
        make_clone(Path(folder))
        clone = find_tt_metal()
        assert (str(clone.folder), clone.named_by) == (folder, folder)


def test_a_wrong_folder_that_somebody_named_is_told(monkeypatch, tmp_path, plain_environment):
    make_clone(plain_environment / "tt-metal")
    monkeypatch.setenv("TT_METAL_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(CommandError, match="but TT_METAL_HOME names it as tt-metal"):
        find_tt_metal()


# Which version


def test_the_version_is_the_tag_and_the_commit(tmp_path):
    folder = make_clone(tmp_path / "clone")
    git(folder, "init", "--quiet")
    (folder / "README.md").write_text("x")
    git(folder, "add", "README.md")
    git(folder, "commit", "--quiet", "-m", "x")
    commit = git(folder, "rev-parse", "--short=10", "HEAD")
    clone = TtMetal(folder, "--tt-metal")
    assert clone.version() == f"{git(folder, 'describe', '--always')} ({commit})"
    git(folder, "tag", "v0.61.0")
    assert clone.version() == f"v0.61.0 ({commit})"
    assert clone.describe() == f"v0.61.0 ({commit}) at {folder} (named by --tt-metal)"


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        ("VERSION", "0.81.1", "0.81.1"),
        (".git/HEAD", "ref: refs/heads/main", "main"),
        (".git/HEAD", "d9d95fa3", "d9d95fa3"),
        ("README.md", "", ""),
    ],
)
def test_a_copy_that_git_cannot_read_tells_its_version_in_files(tmp_path, file, text, version):
    write(tmp_path / file, text)
    assert TtMetal(tmp_path, "").version() == version


def test_the_environment_tells_its_ttnn_and_whether_we_are_in_it(tmp_path):
    clone = TtMetal(make_clone(tmp_path), "")
    assert clone.ttnn_version() == "0.61.0"
    assert not clone.has_ttdirect()
    assert not clone.is_active()
    (tmp_path / "python_env/lib/python3.10/site-packages/ttdirect-0.1.0.dist-info").mkdir()
    assert clone.has_ttdirect()


def test_the_environment_that_runs_us_is_active(tmp_path, monkeypatch):
    clone = TtMetal(make_clone(tmp_path), "")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python_env"))
    assert clone.is_active()


def test_a_clone_without_an_environment_has_no_python(tmp_path):
    clone = TtMetal(make_clone(tmp_path, packages=()), "")
    assert clone.python is None
    assert clone.describe().endswith(", without a python_env")


# Installing into its environment


def test_all_that_is_there_becomes_a_constraint(tmp_path, monkeypatch):
    monkeypatch.setattr(tt_metal, "_requirement", lambda: "ttdirect")
    folder = make_clone(tmp_path / "with space")
    python = shlex.quote(str(folder / "python_env/bin/python"))
    pins = shlex.quote(str(folder / "python_env/pins.txt"))
    assert TtMetal(folder, "").install_command() == (
        f"{python} -m pip list --format=freeze --exclude ttdirect > {pins} && "
        f"{python} -m pip install --constraint {pins} ttdirect"
    )


def test_an_environment_of_uv_has_no_pip(tmp_path):
    command = TtMetal(make_clone(tmp_path, packages=("ttnn-1.dist-info",)), "").install_command()
    assert command.startswith(f"uv pip list --python {tmp_path}/python_env/bin/python --format")
    assert " && uv pip install --python " in command


def test_the_list_of_pins_is_one_that_pip_takes(tmp_path):
    """The first half of the command, run on the environment of these tests."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    listed = run(*pip, "list", "--format=freeze", "--exclude", "ttdirect")
    if "No module named pip" in listed.stderr:
        pytest.skip("this environment has no pip")
    lines = listed.stdout.splitlines()
    assert "pytest" in {line.partition("==")[0] for line in lines}
    assert not [line for line in lines if "==" not in line or line.startswith("ttdirect")]


@pytest.mark.parametrize(
    ("recorded", "requirement"),
    [
        (None, "ttdirect"),
        ("not json", "ttdirect"),
        ('{"url": "https://example.org/ttdirect.whl"}', "ttdirect"),
        ('{"url": "file:///nowhere/ttdirect-0.1.0-py3-none-any.whl"}', "ttdirect"),
    ],
)
def test_pip_gets_the_name_where_the_origin_is_gone(monkeypatch, recorded, requirement):
    monkeypatch.setattr(tt_metal.metadata, "distribution", lambda name: Recorded(recorded))
    assert tt_metal._requirement() == requirement


def test_pip_gets_the_wheel_that_this_package_came_from(monkeypatch, tmp_path):
    wheel = tmp_path / "a wheel.whl"
    wheel.touch()
    recorded = json.dumps({"url": wheel.as_uri()})
    monkeypatch.setattr(tt_metal.metadata, "distribution", lambda name: Recorded(recorded))
    assert tt_metal._requirement() == str(wheel)


class Recorded:
    """What pip has recorded about a package."""

    def __init__(self, direct_url):
        self._direct_url = direct_url

    def read_text(self, name):
        assert name == "direct_url.json"
        return self._direct_url


# tt_metal/python_env/requirements-dev.txt (bzhangTT/tt-metal @ 0ee7d3bc, 2026). Torch is left out
# because it is huge; nothing of ours asks for it there.
TT_METAL_PINS = (
    *("transformers==4.53.0", "numpy<2", "pydantic==2.9.2", "protobuf==4.25.8"),
    *("loguru==0.6.0", "tqdm"),
)


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.10", "3.12"])
def test_our_base_packages_fit_beside_tt_metals_pins(tmp_path, python):
    """On both Pythons that have wheels of ttnn."""
    ours = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    tried = resolve(tmp_path, python, [*ours, *TT_METAL_PINS])
    if tried.returncode != 0 and resolve(tmp_path, python, ["flask"]).returncode != 0:
        pytest.skip("the package index cannot be reached, or there is no pip")
    assert tried.returncode == 0, tried.stderr
    chosen = {
        item["metadata"]["name"].lower(): item["metadata"]["version"]
        for item in json.loads((tmp_path / "report.json").read_text())["install"]
    }
    assert {"flask", "gunicorn", "requests"} <= set(chosen)
    assert chosen["pydantic"] == "2.9.2"
    assert chosen["transformers"] == "4.53.0"
    assert chosen["protobuf"] == "4.25.8"
    assert chosen["numpy"].startswith("1.")


def resolve(folder, python, requirements):
    """Let pip choose versions for `requirements` without installing anything."""
    return run(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "0"),
        *("install", "--dry-run", "--ignore-installed", "--quiet", "--only-binary", ":all:"),
        *("--python-version", python, "--report", str(folder / "report.json")),
        *("--target", str(folder / "never-filled")),  # older versions of pip insist on it
        *requirements,
    )


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


# `ttdirect create` on such a host


@pytest.fixture
def card(monkeypatch):
    found = DetectedDevice("tenstorrent", "A card.")
    monkeypatch.setattr(settings, "detect_device", lambda: found)


def create(capsys, *arguments):
    assert main(["create", *arguments]) == 0
    return capsys.readouterr().err


def test_create_names_the_clone_and_how_to_install_and_start(capsys, card, tmp_path):
    clone = make_clone(tmp_path / "clone")
    err = create(capsys, "--tt-metal", str(clone), "--model", "some/model")
    assert f"tt-metal: version unknown at {clone} (named by --tt-metal)\n" in err
    assert f"Next, install ttdirect there: {clone}/python_env/bin/python -m pip list" in err
    assert (
        f"Next, start the server: TT_METAL_HOME={clone} PYTHONPATH={clone} "
        f"{clone}/python_env/bin/python "
    ) in err


def test_create_in_tt_metals_environment_needs_nothing_more(capsys, card, tmp_path, monkeypatch):
    clone = make_clone(tmp_path / "clone")
    monkeypatch.setenv("TT_METAL_HOME", str(clone))
    monkeypatch.syspath_prepend(clone)
    monkeypatch.setattr(sys, "prefix", str(clone / "python_env"))
    err = create(capsys, "--model", "some/model")
    assert "install" not in err
    assert "PYTHONPATH=" not in err


def test_create_without_a_clone_says_what_to_do(capsys, card):
    assert "tt-metal: not found; clone it" in create(capsys)


def test_create_refuses_a_clone_that_is_none(capsys, tmp_path):
    assert main(["create", "--tt-metal", str(tmp_path)]) == 1
    assert "has no models/tt_transformers" in capsys.readouterr().err


def test_a_script_for_the_cpu_on_a_cards_host_names_the_right_python(
    capsys, tmp_path, monkeypatch, plain_environment
):
    roots = fake_driver(tmp_path, ["n150"])
    monkeypatch.setattr(device, "DEVICE_FOLDER", roots.dev / "tenstorrent")
    clone = make_clone(plain_environment / "tt-metal")
    err = create(capsys)
    assert f"A script for the card is created by tt-metal's own Python: {clone}/python_env" in err
    assert "PYTHONPATH=" not in err  # the server on the CPU needs none


def test_a_laptop_hears_nothing_of_tt_metal(capsys, plain_environment):
    make_clone(plain_environment / "tt-metal")
    assert "tt-metal" not in create(capsys)
