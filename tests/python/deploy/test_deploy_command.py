"""`ttdirect deploy`: what it writes, where, and what it never does."""

import os
import stat

import pytest

from ttdirect.cli.main import main
from ttdirect.deploy.targets import TARGETS
from ttdirect.script.render import ScriptSettings, render

EVERYTHING = [word for target in TARGETS for word in ("--target", target)]


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "server.py"
    path.write_text(render(ScriptSettings("cpu", "demo")))
    return path


@pytest.fixture
def deploy(script, capsys):
    """A function that runs the command for the script; its exit code, stdout and stderr."""

    def run(*arguments):
        code = main(["deploy", str(script), *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def test_the_paths_are_data_and_the_rest_is_told_on_stderr(deploy, script):
    code, out, err = deploy("--target", "systemd")
    folder = script.parent / "deploy"
    paths = [folder / "gunicorn.conf.py", folder / "server@.service"]
    assert (code, out) == (0, "".join(f"{path}\n" for path in paths))
    assert err.splitlines()[:3] == [
        *(f"Created {path}" for path in paths),
        f"Made two API keys in {folder}/api-keys: for your clients, and for Prometheus",
    ]
    assert err.splitlines()[-1] == "  sudo systemctl enable --now server@8080"
    assert not any(os.access(path, os.X_OK) for path in paths)


def test_every_target_writes_its_files(deploy, script):
    assert deploy(*EVERYTHING)[0] == 0
    assert {path.name for path in (script.parent / "deploy").iterdir()} == {
        *("gunicorn.conf.py", "server@.service", "server.nginx.conf", "compose.yaml"),
        *("Dockerfile", "Dockerfile.dockerignore", "prometheus.yml", "ttdirect-alerts.yml"),
        *("api-keys", "prometheus-key"),
    }


def test_the_same_again_changes_nothing_and_other_settings_refresh(deploy, script):
    deploy(*EVERYTHING)
    keys = (script.parent / "deploy" / "api-keys").read_text()
    code, _, err = deploy(*EVERYTHING)
    assert code == 0
    assert err.count("was there already, the same to the letter") == 8
    code, _, err = deploy(*EVERYTHING, "--port", "9000", "--instances", "3")
    assert code == 0
    assert "server@.service, which you had not changed" in err
    assert "server@9000 server@9001 server@9002" in err
    assert (script.parent / "deploy" / "api-keys").read_text() == keys


def test_changes_of_the_user_are_refused_and_nothing_else_is_written(deploy, script):
    theirs = script.parent / "deploy" / "server@.service"
    theirs.parent.mkdir()
    theirs.write_text("mine\n")
    code, out, err = deploy("--target", "systemd")
    assert (code, out) == (1, "")
    assert err.startswith(
        f"error: {theirs} holds changes of yours, so nothing was written\nfix:   see the difference"
    )
    assert [path.name for path in theirs.parent.iterdir()] == [theirs.name]
    assert theirs.read_text() == "mine\n"


def test_force_keeps_a_backup_and_says_where(deploy, script):
    theirs = script.parent / "deploy" / "gunicorn.conf.py"
    theirs.parent.mkdir()
    theirs.write_text("mine\n")
    code, _, err = deploy("--target", "gunicorn", "--force")
    assert code == 0
    assert f"Replaced {theirs}; yours is kept in {theirs}.bak" in err
    assert theirs.with_name(f"{theirs.name}.bak").read_text() == "mine\n"


def test_diff_and_dry_run_show_it_and_write_nothing(deploy, script):
    code, out, _ = deploy("--target", "docker", "--diff")
    assert code == 1
    assert "\n+CMD [" in out
    code, dry, _ = deploy("--target", "docker", "--dry-run")
    assert code == 0
    assert dry.startswith(f"==> {script.parent}/deploy/gunicorn.conf.py <==\n")
    assert not (script.parent / "deploy").exists()
    deploy("--target", "docker")
    assert deploy("--target", "docker", "--diff") == (0, "", "")
    assert deploy("--target", "docker", "--dry-run")[1] == dry


def test_nothing_that_is_shown_or_written_for_others_holds_a_key(deploy, script):
    output = list(deploy(*EVERYTHING)[1:])
    output += [*deploy(*EVERYTHING, "--dry-run")[1:], *deploy(*EVERYTHING, "--diff")[1:]]
    folder = script.parent / "deploy"
    private = {folder / "api-keys", folder / "prometheus-key"}
    shown = "".join([*output, *(path.read_text() for path in set(folder.iterdir()) - private)])
    lines = (folder / "api-keys").read_text().splitlines()
    secrets = [line.partition(":")[2] for line in lines if not line.startswith("#")]
    assert len(secrets) == len(set(secrets)) == 2
    assert all(len(secret) >= 40 and secret not in shown for secret in secrets)
    assert (folder / "prometheus-key").read_text() == secrets[1]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_keys_of_the_user_are_named_and_not_touched(deploy, script, tmp_path):
    keys = tmp_path / "my-keys"
    keys.write_text("one-key\n")
    code, _, err = deploy(*EVERYTHING, "--key-file", str(keys))
    assert code == 0
    folder = script.parent / "deploy"
    assert not (folder / "api-keys").exists()
    assert f"Put one of the server's keys into {folder}/prometheus-key" in err
    assert f"LoadCredential=api-keys:{keys}" in (folder / "server@.service").read_text()
    assert f'"TTDIRECT_API_KEY_FILE", "{keys}"' in (folder / "gunicorn.conf.py").read_text()
    assert f'file: "{keys}"' in (folder / "compose.yaml").read_text()


def test_a_model_is_served_in_place_of_the_scripts_own(deploy, script, tmp_path, monkeypatch):
    deploy("--target", "gunicorn")
    configuration = script.parent / "deploy" / "gunicorn.conf.py"
    assert "HF_MODEL" not in configuration.read_text()
    monkeypatch.setenv("HF_MODEL", "from/environment")
    deploy("--target", "gunicorn")
    assert '"HF_MODEL", "from/environment"' in configuration.read_text()
    (tmp_path / "weights").mkdir()
    monkeypatch.chdir(tmp_path)
    deploy("--target", "compose", "--model", "weights")
    compose = (script.parent / "deploy" / "compose.yaml").read_text()
    assert f'HF_MODEL: "{tmp_path}/weights"' in compose
    assert f'"{tmp_path}/weights:{tmp_path}/weights:ro"' in compose


def test_a_card_gets_its_devices_its_pages_and_patience(deploy, script, tmp_path):
    clone = tmp_path / "tt-metal"
    (clone / "models" / "tt_transformers").mkdir(parents=True)
    script.write_text(render(ScriptSettings("tenstorrent", "some/model")))
    assert deploy(*EVERYTHING, "--tt-metal", str(clone))[0] == 0
    folder = script.parent / "deploy"
    unit = (folder / "server@.service").read_text()
    assert "\nDeviceAllow=char-tenstorrent rw\n" in unit
    assert "PrivateDevices" not in unit
    assert f'\nReadWritePaths="{clone}"\n' in unit
    assert "\nTimeoutStopSec=625\n" in unit
    assert "\nExecStartPre=-/usr/bin/env tt-smi -r\n" in unit
    configuration = (folder / "gunicorn.conf.py").read_text()
    assert f'"TT_METAL_HOME", "{clone}"' in configuration
    assert "\ngraceful_timeout = 615\n" in configuration
    compose = (folder / "compose.yaml").read_text()
    assert "- /dev/tenstorrent:/dev/tenstorrent\n" in compose
    assert "- /dev/hugepages-1G:/dev/hugepages-1G\n" in compose
    assert "\nFROM ${TT_METAL}\n" in (folder / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--target", "gunicorn", "--diff", "--force"], "so --force has no meaning"),
        (["--target", "kubernetes"], "invalid choice"),
        (["--target", "nginx", "--instances", "0"], "instances are a whole number from 1 to 64"),
        (["--target", "nginx", "--port", "65535", "--instances", "2"], "ports beyond 65535"),
        ([], "the following arguments are required: --target"),
    ],
)
def test_a_wrong_command_line_is_two_lines(deploy, arguments, what):
    code, out, err = deploy(*arguments)
    assert (code, out) == (2, "")
    assert what in err
    assert err.count("\n") == 2


def test_a_folder_that_docker_cannot_see_is_refused(deploy, tmp_path):
    (tmp_path / "below").mkdir()
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    code, _, err = deploy("--target", "docker", "--output", str(elsewhere))
    assert code == 1
    assert f"Docker sees only what lies below {tmp_path}" in err
    assert deploy("--target", "gunicorn", "--output", str(elsewhere))[0] == 0
    assert 'chdir = str(HERE / "../' in (elsewhere / "gunicorn.conf.py").read_text()


def test_a_model_has_to_be_named(deploy, script):
    script.write_text(render(ScriptSettings("tenstorrent", "")))
    code, _, err = deploy("--target", "gunicorn")
    assert code == 2
    assert "names no model, and HF_MODEL is not set" in err


def test_a_script_that_is_not_there_is_two_lines(tmp_path, capsys):
    assert main(["deploy", str(tmp_path / "none.py"), "--target", "gunicorn"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: there is no script at {tmp_path}/none.py\nfix:   write one with")


def test_comments_are_never_far(deploy, script):
    """Each file is to be understood where it is read: a few lines, then why."""
    deploy(*EVERYTHING)
    folder = script.parent / "deploy"
    for name in ("gunicorn.conf.py", "server@.service", "server.nginx.conf", "compose.yaml"):
        silent = 0
        for line in (folder / name).read_text().splitlines():
            spoken = line.lstrip().startswith("#") or " # " in line or '"""' in line
            silent = 0 if spoken or not line.strip() else silent + 1
            assert silent <= 9, f"{name}: {line}"
