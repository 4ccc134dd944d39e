"""The files as the programs that will read them judge them, where these can be had."""

import json
import re
import shlex
import shutil
import sys

import pytest
import yaml

from deploy.served import CLIENT, Deployment, Nginx, check, tool
from processes import free_port, running
from ttdirect.cli.main import main
from ttdirect.deploy.targets import TARGETS
from ttdirect.script.render import ScriptSettings, render

DEVICES = ("cpu", "tenstorrent")

COMPOSE_KEYS = {
    *("build", "image", "init", "restart", "stop_grace_period", "ports", "environment", "secrets"),
    *("volumes", "devices", "ipc", "ulimits", "read_only", "tmpfs", "cap_drop", "security_opt"),
    "logging",
}
"""Of a service, as the Compose specification has them."""


@pytest.fixture(scope="module", params=DEVICES)
def files(request, tmp_path_factory):
    """The folder with the files of all targets, for a script in a folder with a space and a %."""
    folder = tmp_path_factory.mktemp("my 100% server")
    script = folder / "tt-api-server-direct.py"
    script.write_text(render(ScriptSettings(request.param, "some/model")))
    targets = [word for target in TARGETS for word in ("--target", target)]
    assert main(["deploy", str(script), *targets, "--instances", "2"]) == 0
    return folder / "deploy"


def test_systemd_understands_the_unit_and_finds_it_hardened(files):
    unit = files / "tt-api-server-direct@.service"
    analyze = tool("systemd-analyze")
    assert check(analyze, "verify", "--man=no", unit) == ""
    # 0 is safe, 10 is open; a unit without any of its own lines has 9.6.
    check(analyze, "security", "--offline=true", "--threshold=25", unit)


def test_hadolint_finds_nothing_in_the_dockerfile(files):
    assert check(tool("hadolint"), "--failure-threshold", "style", files / "Dockerfile") == ""


def test_the_compose_file_says_only_what_compose_knows(files):
    compose = yaml.safe_load((files / "compose.yaml").read_text())
    assert set(compose) == {"name", "services", "secrets", "volumes"}
    (server,) = compose["services"].values()
    assert set(server) <= COMPOSE_KEYS
    assert (files / server["build"]["context"]).resolve() == files.parent
    assert (files.parent / server["build"]["dockerfile"]).samefile(files / "Dockerfile")
    assert (files / compose["secrets"]["api_keys"]["file"]).samefile(files / "api-keys")
    assert server["ports"] == ["127.0.0.1:8080:8080"]
    named = {volume.split(":")[0] for volume in server["volumes"]} - {"/dev/hugepages-1G"}
    assert named == set(compose["volumes"])
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", compose["name"])


def copies(dockerfile):
    """What the image gets: from where and to where."""
    return [json.loads(words) for words in re.findall(r"(?m)^COPY (.*)$", dockerfile)]


def test_docker_may_see_what_it_copies_and_no_key(files):
    lines = (files / "Dockerfile.dockerignore").read_text().splitlines()
    seen = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {source for source, _ in copies((files / "Dockerfile").read_text())}
    assert seen == copied == {"tt-api-server-direct.py", "deploy/gunicorn.conf.py"}
    assert "*" in lines
    assert all((files.parent / name).is_file() for name in copied)


def test_promtool_understands_settings_and_alerts(files):
    said = check(tool("promtool"), "check", "config", files / "prometheus.yml")
    assert "SUCCESS: 8 rules found" in said


def test_nginx_understands_the_site(tmp_path, certificate):
    options = ("--instances", "3", "--certificate", str(certificate))
    deployment = Deployment(tmp_path, "nginx", options=options)
    nginx = Nginx(deployment, tmp_path / "nginx", certificate)
    assert "test is successful" in check(*nginx.command, "-t")


@pytest.mark.slow
def test_the_command_of_the_image_serves_what_was_copied_into_it(tmp_path):
    """Docker cannot run here: a folder with what COPY names stands for the image."""
    deployment = Deployment(tmp_path, "docker")
    dockerfile = deployment["Dockerfile"]
    app = tmp_path / "image" / "app"
    for source, target in copies(dockerfile):
        (app / target).mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / source, app / target)
    command = json.loads(re.search(r"(?m)^CMD (.*)$", dockerfile)[1])
    port = free_port()
    assert command[-1] == "0.0.0.0:8080"
    command = [sys.executable, *command[1:-1], f"127.0.0.1:{port}"]
    probe = json.loads(re.search(r"(?m)^ +CMD (.*)$", dockerfile)[1])
    probe = [sys.executable, *(word.replace(":8080/", f":{port}/") for word in probe[1:])]
    keys = str(deployment.folder / "api-keys")
    with running(command, app, TTDIRECT_API_KEY_FILE=keys, HOME=str(tmp_path)) as server:
        server.wait_ready()
        assert "note: " not in server.output
        check(*probe)
        assert server.chat("hello").status_code == 401
        server.headers["Authorization"] = f"Bearer {CLIENT}"
        assert server.chat("hello").json()["response"] == "You said: hello"
        server.terminate()
        assert server.wait_exit() == 0
        assert "fake card closed" in server.output


def test_the_commands_that_follow_name_files_that_are_there(tmp_path, capsys):
    deployment = Deployment(tmp_path, *TARGETS)
    commands = capsys.readouterr().err.split("Next, for ")[1:]
    named = {
        word.rpartition("=")[2]
        for block in commands
        for word in shlex.split(block)
        if str(deployment.folder) in word
    }
    assert len(named) >= 5
    for path in named:
        assert tmp_path.joinpath(path).exists(), path
