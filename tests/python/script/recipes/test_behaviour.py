"""What a script does once a recipe is in it, asked over HTTP."""

import json
import logging
import types

import pytest

from recipe_scripts import SCRIPTS
from running_scripts import running
from ttdirect.script.recipes import apply, edits, survey

KEY = "key-for-tests-gr\u00fc\u00df"
PAGE = "http://localhost:3000"


FITS = {
    name: [recipe_id for recipe_id, refusal in survey(source).items() if refusal is None]
    for name, source in SCRIPTS.items()
    if name != "large"  # nothing in it is special but its length
}


def having(recipe_id):
    """The names of the scripts that the recipe goes into."""
    return [name for name, fits in FITS.items() if recipe_id in fits]


def with_recipes(name, *recipe_ids):
    source = SCRIPTS[name]
    for recipe_id in recipe_ids:
        source = apply(source, edits(recipe_id, source))
    return source


def bearer(key):
    return {"Authorization": f"Bearer {key}".encode().decode("latin-1")}


def events_of(response):
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/event-stream"
    lines = response.text.splitlines()
    return [json.loads(it.removeprefix("data: ")) for it in lines if it.startswith("data: ")]


@pytest.mark.parametrize("name", having("authentication"))
def test_authentication_lets_nobody_in_without_the_key(name):
    source = with_recipes(name, "authentication")
    with running(name, source, TTDIRECT_API_KEY=KEY) as script:
        refused = script.chat()
        assert refused.status_code == 401
        assert "Authorization" in refused.json["error"]
        for wrong in (bearer(KEY + "x"), bearer("\u00e9"), {"Authorization": KEY}):
            assert script.chat(headers=wrong).status_code == 401
        assert script.chat(headers=bearer(KEY)).status_code != 401
        assert script.client.get("/health").status_code != 401
        assert script.client.options("/chat").status_code != 401


@pytest.mark.parametrize("name", ["rendered_cpu", "crlf", "tabs"])
def test_authentication_without_a_key_makes_one_and_shows_it(name, capsys):
    with running(name, with_recipes(name, "authentication")) as script:
        key = capsys.readouterr().out.strip().removeprefix("API key for this start: ")
        assert len(key) >= 32
        assert script.chat().status_code == 401
        assert script.chat(headers=bearer(key)).status_code != 401


@pytest.mark.parametrize("name", having("rate-limiting"))
def test_rate_limiting_refuses_who_asks_too_often(name):
    source = with_recipes(name, "rate-limiting").replace("_MINUTE = 60", "_MINUTE = 3")
    with running(name, source) as script:
        statuses = [script.chat().status_code for _ in range(3)]
        assert 429 not in statuses
        refused = script.chat()
        assert refused.status_code == 429
        assert "At most 3 requests a minute" in refused.json["error"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert script.client.get("/health").status_code != 429
        other = {"REMOTE_ADDR": "192.0.2.7"}
        assert script.client.post("/chat", json={}, environ_base=other).status_code != 429


def test_rate_limiting_lets_in_again_after_a_minute():
    with running("crlf", with_recipes("crlf", "rate-limiting")) as script:
        now = 1000.0
        script.module.time = types.SimpleNamespace(monotonic=lambda: now)
        assert [script.chat().status_code for _ in range(61)] == [200] * 60 + [429]
        now += 30
        assert script.chat().headers["Retry-After"] == "31"
        now += 31
        assert script.chat().status_code == 200
        assert len(script.module.recent_requests) == 1


@pytest.mark.parametrize("name", having("request-logging"))
def test_request_logging_writes_a_line_for_each_request(name, caplog):
    with running(name, with_recipes(name, "request-logging")) as script:
        with caplog.at_level(logging.INFO):
            script.client.get("/health")
            script.client.get("/no%0Asuch")
        lines = [it.getMessage() for it in caplog.records if it.name == script.app.logger.name]
        assert len(lines) == 2
        assert lines[0].startswith("127.0.0.1 GET '/health' -> ")
        assert lines[0].endswith(" ms")
        assert lines[1].startswith("127.0.0.1 GET '/no\\nsuch' -> 404, ")


@pytest.mark.parametrize("name", having("cors"))
def test_cors_answers_the_browser_for_listed_pages_alone(name):
    with running(name, with_recipes(name, "cors")) as script:
        question = {
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        preflight = script.client.options("/chat", headers=question)
        assert preflight.status_code in (200, 404)  # 404: one of the scripts has no /chat
        assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "content-type" in preflight.headers["Access-Control-Allow-Headers"].lower()
        answer = script.chat(headers={"Origin": PAGE})
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Origin" in answer.headers["Vary"]
        other = script.client.options("/chat", headers=question | {"Origin": "http://evil.test"})
        assert "Access-Control-Allow-Origin" not in other.headers


@pytest.mark.parametrize("name", ["rendered_cpu", "rendered_tenstorrent", "crlf", "factory"])
@pytest.mark.parametrize("order", [("cors", "authentication"), ("authentication", "cors")])
def test_a_preflight_passes_authentication(name, order):
    with running(name, with_recipes(name, *order), TTDIRECT_API_KEY=KEY) as script:
        question = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
        preflight = script.client.options("/chat", headers=question)
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
        refused = script.chat(headers={"Origin": PAGE})
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == PAGE, "so that the page sees it"


@pytest.mark.parametrize("name", having("streaming"))
def test_streaming_sends_the_answer_in_pieces(name):
    with running(name, with_recipes(name, "streaming")) as script:
        script.start()
        *pieces, last = events_of(script.chat("What is HTTP?", path="/chat/stream"))
        assert "".join(piece["text"] for piece in pieces) == "You said: What is HTTP?"
        assert last["response"] == script.chat("What is HTTP?").json["response"]
        assert script.chat(path="/chat/stream", max_tokens=0).status_code == 400


@pytest.mark.parametrize("name", having("openai"))
def test_openai_answers_its_clients(name):
    with running(name, with_recipes(name, "openai")) as script:
        script.start()
        [model] = script.client.get("/v1/models").json["data"]
        body = {"model": model["id"], "messages": [{"role": "user", "content": "Hi"}]}
        answer = script.client.post("/v1/chat/completions", json=body).json
        assert answer["choices"][0]["message"]["content"] == "You said: Hi"


@pytest.mark.parametrize("name", having("metrics"))
def test_metrics_count_what_was_answered(name):
    with running(name, with_recipes(name, "metrics")) as script:
        if script.engine is not None:
            script.start()
        for _ in range(3):
            assert script.client.get("/health").status_code == 200
        metrics = script.client.get("/metrics")
        assert metrics.status_code == 200
        assert metrics.mimetype == "text/plain"
        if "http_request_seconds" in SCRIPTS[name] + with_recipes(name, "metrics"):
            line = 'http_request_seconds_count{route="/health",status="200"} 3.0'
            assert line in metrics.text.splitlines()
        else:
            assert "ttdirect" in metrics.text


@pytest.mark.parametrize("name", having("timeout"))
def test_timeout_ends_a_request_that_takes_too_long(name):
    source = with_recipes(name, "timeout").replace("timeout_seconds=60", "timeout_seconds=0.05")
    with running(name, source, step_seconds=0.01) as script:
        script.start()
        late = script.chat("repeat 200 long", max_tokens=400)
        # One of the scripts has a handler of its own for errors of the engine.
        assert late.status_code == (503 if name == "no_main" else 504), late.text
        assert late.json["error"] == "The answer was not complete within 0.05 s."


OWN_MESSAGES = ["hand_driven_on_cpu", "lesson_2025"]
ENGINES = [name for name in having("system-prompt") if name not in OWN_MESSAGES]


@pytest.mark.parametrize("name", ENGINES)
def test_a_system_prompt_reaches_the_model_unless_a_request_brings_its_own(name):
    with running(name, with_recipes(name, "system-prompt")) as script:
        script.start()
        assert script.chat("Hi").json["response"] == "You said: Hi"
        [system, user] = script.chats[-1]
        assert system == {"role": "system", "content": script.system_prompt()}
        assert user == {"role": "user", "content": "Hi"}
        if name != "minimal":  # it does not look at the other fields
            script.chat("Hi", system="Be rude.")
            assert script.chats[-1][0]["content"] == "Be rude."


def test_a_system_prompt_reaches_streams_as_well():
    with running("rendered_cpu", with_recipes("rendered_cpu", "system-prompt")) as script:
        script.start()
        events_of(script.chat("Hi", path="/chat/stream"))
        assert [message["role"] for message in script.chats[-1]] == ["system", "user"]


class Tokenizer:
    """Returns the messages themselves as its tokens."""

    def apply_chat_template(self, messages, **_):
        return messages


def test_a_system_message_goes_before_the_user_s_in_scripts_of_one_s_own():
    expected = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Hi"},
    ]
    name = "lesson_2025"
    with running(name, with_recipes(name, "system-prompt")) as script:
        script.module.TOKENIZER = Tokenizer()
        assert script.module.encode("Hi") == expected
    name = "hand_driven_on_cpu"
    with running(name, with_recipes(name, "system-prompt")) as script:
        assert script.module.Chatbot().messages("Hi") == expected


@pytest.mark.parametrize(
    ("name", "recipe_id"),
    [
        ("rendered_cpu", "tenstorrent"),
        ("rendered_cuda", "tenstorrent"),
        ("rendered_tenstorrent", "cpu"),
        ("engine_plain", "cpu"),
    ],
)
def test_a_script_for_another_device_answers_the_same(name, recipe_id):
    with running(name, SCRIPTS[name]) as script:
        before = script.start().chat("Hi").json["response"]
    with running(name, with_recipes(name, recipe_id)) as script:
        assert script.start().chat("Hi").json["response"] == before == "You said: Hi"


WITHOUT_MODEL = ["annotated", "class_views", "lesson_2025"]
WITHOUT_CHAT = ["async_views", "nested_factory", "no_final_newline"]
"""Flask's asynchronous views need a package that we do not have; the others have no /chat."""


@pytest.mark.parametrize("name", [it for it in having("cors") if it not in WITHOUT_CHAT])
def test_all_of_them_together_still_answer(name):
    added = [it for it in FITS[name] if it not in ("cpu", "tenstorrent")]
    with running(name, with_recipes(name, *added), TTDIRECT_API_KEY=KEY) as script:
        if script.engine is not None:
            script.start()
        assert script.chat("Hi").status_code == 401
        if name not in WITHOUT_MODEL:
            answer = script.chat("Hi", headers=bearer(KEY))
            assert answer.status_code == 200, answer.text
            assert answer.json["response"] == "You said: Hi"
