"""API keys: several, named, from the environment and from a file that may change."""

import os

import pytest
from flask import Flask

from ttdirect import server
from ttdirect.server import keys as keys_module
from ttdirect.server.environment import SettingError
from ttdirect.server.keys import Keys, key_owner
from ttdirect.server.protection import may_listen_on


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "keys"
    path.write_text("# for the team\n\nann:s3cret-of-ann\n  plain-one  \n")
    path.chmod(0o600)
    monkeypatch.setenv("TTDIRECT_API_KEY_FILE", str(path))
    return path


def client():
    app = Flask("keys")
    server.protect(app)
    app.add_url_rule("/chat", "chat", lambda: {"owner": key_owner()}, methods=["POST"])
    for route in ("/", "/health", "/livez", "/metrics", "/openapi.json"):
        app.add_url_rule(route, route, dict)
    return app.test_client()


def status(asking, key):
    return asking.post("/chat", headers={"Authorization": f"Bearer {key}"}).status_code


def rewrite(path, text):
    """Change a file as an editor does; its time moves on whatever the clock's grain is."""
    moment = path.stat().st_mtime_ns + 1_000_000
    path.write_text(text)
    os.utime(path, ns=(moment, moment))


@pytest.mark.parametrize("separator", [",", "\n", ", ", "\r\n", ",,\n"])
def test_the_variable_may_hold_several_keys(monkeypatch, separator):
    monkeypatch.setenv("TTDIRECT_API_KEY", separator.join(["first", "second", "th ird"]))
    asking = client()
    assert [status(asking, key) for key in ("first", "second", "th ird")] == [200] * 3
    assert [status(asking, key) for key in ("", "fourth", "first,second", ",")] == [401] * 4


def test_only_separators_are_no_key(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", " , \n,")
    assert not may_listen_on("0.0.0.0")
    assert client().post("/chat").status_code == 200


def test_a_key_may_come_as_x_api_key(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    asking = client()
    assert asking.post("/chat", headers={"X-Api-Key": "s3cret"}).status_code == 200
    assert asking.post("/chat", headers={"X-Api-Key": "other"}).status_code == 401
    both = {"X-Api-Key": "s3cret", "Authorization": "Basic YTpi"}
    assert asking.post("/chat", headers=both).status_code == 200


def test_the_keys_of_a_file_have_names(file):
    asking = client()
    owners = [
        asking.post("/chat", headers={"X-Api-Key": key}).json["owner"]
        for key in ("s3cret-of-ann", "plain-one")
    ]
    assert owners == ["ann", "file key 2"]
    for wrong in ("ann", "ann:s3cret-of-ann", "# for the team", ""):
        assert status(asking, wrong) == 401


def test_file_and_variable_count_together(file, monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "of-the-variable")
    asking = client()
    assert [status(asking, key) for key in ("of-the-variable", "plain-one")] == [200, 200]


def test_a_key_is_withdrawn_and_another_added_without_a_restart(file):
    asking = client()
    assert [status(asking, key) for key in ("plain-one", "new-one")] == [200, 401]
    rewrite(file, "new-one\n")
    assert [status(asking, key) for key in ("plain-one", "new-one")] == [401, 200]


@pytest.mark.parametrize("lose", [lambda file: file.unlink(), lambda file: rewrite(file, "")])
def test_a_file_that_is_lost_while_the_server_runs_lets_nobody_in(file, lose):
    asking = client()
    lose(file)
    assert [status(asking, key) for key in ("plain-one", "")] == [401, 401]
    assert asking.get("/health").status_code == 200
    file.write_text("plain-one")
    assert status(asking, "plain-one") == 200


@pytest.mark.parametrize("content", [None, "", "\n \n", "# only a comment\n"])
def test_a_file_without_keys_ends_the_start(tmp_path, monkeypatch, capsys, content):
    """An open server would be the worst answer to a typing error."""
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
        path.chmod(0o600)
    monkeypatch.setenv("TTDIRECT_API_KEY_FILE", str(path))
    with pytest.raises(SystemExit) as ending:
        client()
    assert ending.value.code == 3
    what, fix = capsys.readouterr().err.splitlines()
    assert what.startswith("error: TTDIRECT_API_KEY_FILE names a file ")
    assert fix.startswith("fix:   put one key a line into it")


def test_a_folder_is_no_file_of_keys(tmp_path):
    with pytest.raises(SettingError, match="cannot be read: Is a directory"):
        Keys([], tmp_path)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_warned_about(file, capsys, mode, warned):
    file.chmod(mode)
    client()
    told = capsys.readouterr().err
    assert ("chmod 600" in told) is warned
    assert "s3cret" not in told


def test_a_file_allows_to_listen_beyond_loopback(file, monkeypatch):
    assert may_listen_on("0.0.0.0")
    monkeypatch.setenv("TTDIRECT_API_KEY_FILE", "  ")
    assert not may_listen_on("0.0.0.0")


def test_all_keys_are_compared_whichever_fits(monkeypatch):
    """Stopping at the first that fits would tell by the time which one it was."""
    compared = []

    def compare(ours, given):
        compared.append(ours)
        return ours == given

    monkeypatch.setattr(keys_module.hmac, "compare_digest", compare)
    monkeypatch.setenv("TTDIRECT_API_KEY", "a,b,c")
    assert Keys.from_environment().owner_of(b"a") == "key 1"
    assert len(compared) == 3
    assert all(len(digest) == 32 for digest in compared)


def test_what_is_open_without_a_key(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    asking = client()
    routes = ("/health", "/livez", "/", "/metrics", "/openapi.json", "/nope")
    assert [asking.get(route).status_code for route in routes] == [200] * 3 + [401] * 3
    assert asking.post("/").status_code == 401
    assert asking.options("/chat").status_code == 200


def test_metrics_can_be_opened(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    monkeypatch.setenv("TTDIRECT_OPEN_METRICS", "1")
    assert client().get("/metrics").status_code == 200
    assert client().get("/openapi.json").status_code == 401


def test_no_key_is_kept_in_memory_as_text(file, monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "of-the-variable")
    held = Keys.from_environment()
    assert "of-the-variable" not in repr(vars(held))
    assert "s3cret" not in repr(vars(held))
