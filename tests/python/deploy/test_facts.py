"""What is read from the user's script."""

import textwrap

import pytest

from ttdirect.deploy.facts import NotDeployableError, ScriptFacts, read_script
from ttdirect.deploy.plan import (
    CARD_LOADING_SECONDS,
    CLOSING_SECONDS,
    DRAIN_SECONDS,
    SPARE_THREADS,
    Plan,
)
from ttdirect.script.render import ScriptSettings, render
from ttdirect.server import gunicorn_app, lifecycle


@pytest.fixture
def script(tmp_path):
    """A function that writes a script for a device and returns its path."""

    def write(device="cpu", model="demo", name="server.py", **settings):
        path = tmp_path / name
        path.write_text(render(ScriptSettings(device, model, **settings)))
        return path

    return write


@pytest.mark.parametrize("device", ["cpu", "cuda", "tenstorrent"])
def test_a_script_as_it_is_rendered(script, device):
    limits = {"MAX_BATCH_SIZE": 8, "MAX_QUEUED": 5, "REQUEST_TIMEOUT": 90}
    path = script(device, "some/model", port=9000, limits=limits)
    assert read_script(path) == ScriptFacts(path, device, 9000, "some/model", 8, 5, 90)


def test_what_a_script_does_not_say_has_the_lessons_values(tmp_path):
    path = tmp_path / "server.py"
    path.write_text("PORT = int('8081')\nMODEL: str = 'm'\napp = 1\nstart_in_gunicorn(0)\n")
    assert read_script(path) == ScriptFacts(path, "cpu", 8080, "m", 32, 64, 600)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "there is no script at "),
        ("def (", "cannot be read as a Python script: "),
        ("server.start_in_gunicorn(engine)", "has no `app`, so gunicorn cannot serve it"),
        ("app = Flask(__name__)", "does not call start_in_gunicorn"),
        ("\0", "cannot be read as a Python script: "),
    ],
)
def test_what_gunicorn_cannot_serve_is_refused(tmp_path, text, what):
    path = tmp_path / "server.py"
    if text is not None:
        path.write_text(textwrap.dedent(text))
    with pytest.raises(NotDeployableError, match=what) as refusal:
        read_script(path)
    assert "ttdirect " in refusal.value.fix


@pytest.mark.parametrize("name", ["my.server.py", "my server.py", "server", "sérver.py"])
def test_a_name_that_gunicorn_cannot_import_is_refused(script, name):
    with pytest.raises(NotDeployableError, match="gunicorn cannot import"):
        read_script(script(name=name))


@pytest.mark.parametrize("odd", ['a"b', "a$b", "a'b", "a\\b", "a;b", "a\nb", "a{b"])
def test_a_path_that_some_file_would_read_as_its_own_language_is_refused(script, tmp_path, odd):
    with pytest.raises(NotDeployableError, match="which these files cannot write"):
        Plan(read_script(script()), tmp_path / odd, ports=(8080,))


@pytest.mark.parametrize("domain", ["a b", "a;b", "", "-a", "a\n", "http://a", "*.a.b"])
def test_a_domain_that_is_none_is_refused(script, tmp_path, domain):
    with pytest.raises(NotDeployableError, match="is no name of a computer"):
        Plan(read_script(script()), tmp_path, ports=(8080,), domain=domain)


@pytest.mark.parametrize("domain", ["localhost", "api.example.com", "10.0.0.7"])
def test_a_domain_that_is_one_is_taken(script, tmp_path, domain):
    assert Plan(read_script(script()), tmp_path, ports=(8080,), domain=domain).domain == domain


def test_threads_and_times_are_those_of_the_server(script, tmp_path):
    assert SPARE_THREADS == gunicorn_app.SPARE_THREADS
    assert DRAIN_SECONDS == lifecycle.DRAIN_SECONDS
    assert CLOSING_SECONDS == lifecycle.CLOSING_SECONDS
    assert CARD_LOADING_SECONDS == lifecycle.CARD_LOADING_SECONDS
    plan = Plan(read_script(script()), tmp_path / "deploy", ports=(8080,))
    assert plan.threads == 32 + 64 + gunicorn_app.SPARE_THREADS
    # `start_in_gunicorn` keeps 5 s of gunicorn's patience for itself.
    assert plan.stopping_seconds - 5 >= DRAIN_SECONDS + CLOSING_SECONDS
    card = Plan(read_script(script("tenstorrent", "m")), tmp_path / "deploy", ports=(8080,))
    assert card.stopping_seconds - 5 >= CARD_LOADING_SECONDS
