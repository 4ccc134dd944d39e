"""Hovers, signatures, completion, lenses, hints and links."""

import json
import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ttdirect.language_server.analysis.document import Document
from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.assist import lenses as commands
from ttdirect.language_server.assist.api import entry_of
from ttdirect.language_server.assist.completion import complete
from ttdirect.language_server.assist.figures import (
    Counters,
    Figures,
    address_of_script,
    fetch_metrics,
    hints,
)
from ttdirect.language_server.assist.hovers import hover_at, signature_at
from ttdirect.language_server.assist.lenses import lenses
from ttdirect.language_server.assist.links import links
from ttdirect.language_server.assist.sending import sendable, written_as
from ttdirect.language_server.assist.surroundings import find_script, generator_of, port_of
from ttdirect.script.render import ScriptSettings, render

SCRIPT = render(ScriptSettings(device="cpu", model="org/name", port=8123))
BASE = "http://127.0.0.1:8080"


def at(text, kind="python"):
    """A document and the offset of the | in its text."""
    offset = text.index("|")
    return Document("file:///a", kind, text[:offset] + text[offset + 1 :]), offset


def in_script(old, new):
    assert SCRIPT.count(old) >= 1
    return at(SCRIPT.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("engine.ask", "engine.a|sk", ["ask(", "temperature: float = 0.0", "**Args**"]),
        ("engine.ask", "engine.ask|", ["ask("]),
        (" = Engine(", " = Eng|ine(", ["Engine(", "Continuous batching"]),
        ("create_tt_model(\n", "create_|tt_model(\n", ["paged_attention_config"]),
        ("generator.decode_forw", "generator.|decode_forw", ["decode_forward_text("]),
        ("max_seq_len=MAX", "max_|seq_len=MAX", ["**max_seq_len**"]),
        ("server.protect", "server.pro|tect", ["protect(app: Flask)"]),
        ("open_mesh(ttnn", "open_|mesh(ttnn", ["open_mesh("]),
    ],
)  # fmt: skip
def test_hovers_of_the_api(old, new, words):
    text = hover_at(*in_script(old, new)).text
    for word in words:
        assert word in text


def test_names_of_tt_metal_are_those_of_our_generator():
    ours = entry_of(frozenset({"ttdirect.generator.Generator().decode_forward_text"}))
    theirs = "models.tt_transformers.tt.generator.Generator().decode_forward_text"
    assert ours == entry_of(frozenset({theirs})) is not None
    assert entry_of(frozenset({"ttnn.open_mesh_device"})).name == "open_mesh_device"
    assert entry_of(frozenset({"flask.Flask", "ttdirect.nothing", "ttdirect"})) is None


FENCED = "Ask ttdirect:\n\n```sh\ncurl http://127.0.0.1:8080{} -d '{}'\n```\n"


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/chat", '{"max_|tokens": 3}', ["from 1 to 2048", "128 when it is left out"]),
        ("/chat", '{"prom|pt": "a"}', ["it has to be there"]),
        ("/v1/chat/completions", '{"messages": [{"ro|le": "user"}]}', ["system"]),
    ],
)
def test_hovers_of_fields(path, body, words):
    text = hover_at(*at(FENCED.format(path, body), "markdown")).text
    for word in words:
        assert word in text


def test_a_code_in_a_comment_has_a_hover():
    assert "one thread" in hover_at(*at("x = 1  # tt: ignore[TT0|05]\n")).text.lower()


@pytest.mark.parametrize("text", ["x = |1\n", "def |f(): ...\n", "|", "# prom|pt\n"])
def test_no_hover(text):
    assert hover_at(*at(text)) is None


START = "from ttdirect.engine import Engine\nengine = Engine(f)\n"


@pytest.mark.parametrize(
    ("text", "name", "active"),
    [
        (START + "engine.ask(|", "ask", 0),
        (START + "engine.ask('a', |", "ask", None),
        (START + "engine.ask('a', seed=|", "ask", 7),
        (START + "engine.ask('a', seed=1, x|)", "ask", None),
        (START + "x = [engine.ask(f(1, 2), top_p=[1, 2|", "ask", None),
        (START + "engine.ask(f(1, [2, 3]|), 2)", "f", None),
        (
            START + "def g():\n    return engine.ask(\n        'a',\n        max_tokens=|\n",
            "ask",
            3,
        ),
    ],
)
def test_signatures(text, name, active):
    document, offset = at(text)
    found = signature_at(document, offset, None)
    if name == "ask" and "[1, 2" not in text:
        assert (found.entry.name, found.active) == (name, active)
    else:
        assert found is None


def test_a_signature_comes_from_the_last_good_names_where_these_are_broken():
    good = Document("u", "python", START)
    document, offset = at("def (\nengine.ask(|")
    assert signature_at(document, offset, None) is None
    assert signature_at(document, offset, good).entry.name == "ask"


@pytest.mark.parametrize(
    ("text", "kind", "some", "none"),
    [
        (FENCED.format("/chat", "{|}"), "markdown", {"prompt", "max_tokens"}, {"messages"}),
        (FENCED.format("/chat", '{"prompt": "a", "|'), "markdown", {"seed"}, {"prompt"}),
        (FENCED.format("/v1/chat/completions", '{"messages": [{"|"}]}'), "markdown",
         {"role", "content"}, {"messages"}),
        (FENCED.format("/v1/chat/completions", '{"messages": [{"role": |}]}'), "markdown",
         {'"user"', '"system"'}, set()),
        (FENCED.format("/v1/chat/completions", '{"stream": |'), "markdown", {"true"}, {"True"}),
        ("requests.post('http://127.0.0.1:8080/chat', json={'|", "python", {"prompt"}, set()),
        ("requests.post(BASE + '/chat', json={'prompt': 'a', |})", "python", {"seed"}, {"prompt"}),
        ("r.post(B + '/v1/completions', json={'stream': |", "python", {"True"}, {"true"}),
        ("ttdirect\n\n```json\n{|}\n```\n", "markdown", {"prompt"}, set()),
        ('```http\nPOST http://127.0.0.1:8080/chat\n\n{"|\n```\n', "markdown", {"prompt"}, set()),
        ("```python\nrequests.post('http://h:1/chat', json={|})\n```\n", "markdown", {"prompt"},
         set()),
    ],
)  # fmt: skip
def test_completion(text, kind, some, none):
    labels = {it.label for it in complete(*at(text, kind))}
    assert some <= labels
    assert not none & labels


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("|", "python"),
        ("x = {|}", "python"),
        ("requests.post('/chat', json={'prompt': 'a'})\n|", "python"),
        (FENCED.format("/other", "{|}"), "markdown"),
        (FENCED.format("/chat", "{}").replace("-d '{}'", "-d '{}' |"), "markdown"),
        ('ttdirect\n\n```json\n{"response": "a", |}\n```\n', "markdown"),
        ("text {|}", "markdown"),
    ],
)
def test_no_completion(text, kind):
    assert complete(*at(text, kind)) == []


def test_what_is_completed_makes_a_good_request():
    document, offset = at(FENCED.format("/chat", "{'pr|'}".replace("'", '"')), "markdown")
    (prompt,) = [it for it in complete(document, offset) if it.label == "prompt"]
    text = document.text[: prompt.span.start] + prompt.text + document.text[prompt.span.end :]
    assert '{"prompt": }' in text


def test_lenses_of_a_script():
    found = lenses(Document("u", "python", SCRIPT), BASE)
    lines = SCRIPT.splitlines()
    document = Document("u", "python", SCRIPT)
    shown = [(lines[document.lines.line_of(it.span.start)], it.command) for it in found]
    assert ('@app.get("/health")', commands.TEST_HEALTH) in shown
    assert ('@app.post("/chat")', commands.TEST_CHAT) in shown
    assert ("def main():", commands.START) in shown
    assert ("def main():", commands.STOP) in shown
    assert lenses(Document("u", "python", "def main(): ...\n"), BASE) == []


def test_lenses_of_markdown():
    text = FENCED.format("/chat", '{"prompt": "it\\u0027s"}')
    send, *copies = lenses(Document("u", "markdown", text), BASE)
    assert send.command == commands.SEND
    assert send.arguments[0]["body"] == {"prompt": "it's"}
    assert [it.title for it in copies] == ["Copy as Python", "Copy as JavaScript"]


REQUEST = {
    "method": "POST",
    "url": f"{BASE}/chat",
    "headers": {"X-A": "it's"},
    "body": {"prompt": 'it\'s é "quoted" $HOME `x`\n', "stop": ["a"], "seed": None},
}


@pytest.mark.parametrize("target", ["curl", "python"])
def test_a_copied_request_is_the_same_request(target):
    kind = {"curl": "shell", "python": "python"}[target]
    text = written_as(target, REQUEST)
    if target == "curl":  # the shell knows best what words these are
        words = subprocess.run(
            ["bash", "-c", f"curl() {{ printf '%s\\0' \"$@\"; }}\n{text}"],
            capture_output=True, check=True,
        ).stdout.decode().split("\0")  # fmt: skip
        assert json.loads(words[words.index("-d") + 1]) == REQUEST["body"]
        assert words[0] == REQUEST["url"]
        assert "X-A: it's" in words
        return
    (request,) = Document("u", kind, text).requests
    assert sendable(request, BASE) == REQUEST


def test_javascript_gets_the_same_body():
    text = written_as("javascript", REQUEST)
    body = text.split("JSON.stringify(")[1].split("),\n")[0]
    assert json.loads(body) == REQUEST["body"]


METRICS = """\
# HELP ttdirect:time_to_first_token_seconds Time.
ttdirect:time_to_first_token_seconds_bucket{{le="1.0",model_name="m"}} 1.0
ttdirect:time_to_first_token_seconds_sum{{model_name="m"}} {ttft}
ttdirect:time_to_first_token_seconds_count{{model_name="m"}} {requests}
ttdirect:inter_token_latency_seconds_sum{{model_name="m"}} {seconds}
ttdirect:inter_token_latency_seconds_count{{model_name="m"}} {tokens}
"""


def test_figures_are_of_what_is_new():
    counters = Counters()
    assert not counters.update("nothing of ours")
    first = METRICS.format(ttft=0.2, requests=2.0, seconds=1.0, tokens=50.0)
    assert counters.update(first)
    assert counters.figures == Figures(2, 0.1, 50.0)
    assert not counters.update(first)
    assert counters.update(METRICS.format(ttft=0.5, requests=3.0, seconds=2.0, tokens=150.0))
    assert counters.figures.requests == 1
    assert counters.figures.tokens_per_second == pytest.approx(100)
    assert counters.update(METRICS.format(ttft=0.04, requests=1.0, seconds=0.0, tokens=0.0))
    assert counters.figures == Figures(1, 0.04, None)  # the server was started again
    assert counters.figures.label == "TTFT 40 ms"


def test_hints_stand_at_the_routes_that_ask_the_model():
    document = Document("u", "python", SCRIPT)
    found = hints(document, Figures(2, 0.1, 50.0), Span(0, len(SCRIPT)))
    lines = [document.lines.line_text(document.lines.line_of(it.offset)) for it in found]
    assert lines[0] == '@app.post("/chat")'
    assert any(line.startswith("server.add_streaming") for line in lines)
    assert found[0].label == "TTFT 100 ms · 50 tokens/s"
    assert hints(document, Figures(2, 0.1, 50.0), Span(0, 10)) == []
    assert hints(document, None, Span(0, len(SCRIPT))) == []


def test_metrics_are_fetched_with_the_key(monkeypatch):
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ttdirect:x 1")

        def log_message(self, *_):
            pass

    monkeypatch.setenv("TTDIRECT_API_KEY", "one, two")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert fetch_metrics(f"{address}/") == "ttdirect:x 1"
        server.shutdown()
        thread.join()
    assert seen == [("/metrics", "Bearer one")]
    assert fetch_metrics(address) is None
    assert fetch_metrics("file:///etc/passwd") is None


def test_the_server_of_a_script_is_found_by_its_note(tmp_path):
    note = {"pid": os.getpid(), "script": "/a.py", "address": "http://127.0.0.1:1"}
    (tmp_path / "1.json").write_text(json.dumps(note))
    (tmp_path / "2.json").write_text("{")
    (tmp_path / "3.json").write_text(json.dumps({**note, "pid": 2**30, "script": "/b.py"}))
    assert address_of_script("/a.py", tmp_path) == "http://127.0.0.1:1"
    assert address_of_script("/b.py", tmp_path) is None
    assert address_of_script("/c.py", tmp_path / "none") is None


def test_links(tmp_path):
    (link,) = links(Document("u", "python", SCRIPT), None)
    assert link.target == "https://huggingface.co/org/name"
    assert SCRIPT[link.span.start : link.span.end] == "org/name"
    path = tmp_path / "tt-api-server-direct.py"
    (link,) = links(Document("u", "markdown", "Open `~/tt-api-server-direct.py`."), path)
    assert link.target == path.as_uri()


def test_the_script_and_its_port(tmp_path):
    path = tmp_path / "tt-api-server-direct.py"
    assert find_script([tmp_path], None) is None
    path.write_text(SCRIPT)
    assert find_script([tmp_path], tmp_path / "other.py") == path
    assert port_of(Document("u", "python", SCRIPT)) == 8123
    assert port_of(Document("u", "python", "PORT = int(x)\n")) is None


def test_the_generator_of_a_clone(tmp_path):
    path = tmp_path / "models/tt_transformers/tt/generator.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "class Generator:\n    def prefill_forward_text(self, *args, **kwargs): ...\n"
        "    def _prefill_forward_text_impl(self, tokens, page_table=None): ...\n"
        "    def decode_forward(self, tokens, start_pos, *, reload_inputs, seed=1): ...\n"
    )
    methods = generator_of(tmp_path)
    assert methods["prefill_forward_text"].names == {"self", "tokens", "page_table"}
    assert methods["decode_forward"].required_names == {"reload_inputs"}
    path.write_text("class Generator(Base):\n    def f(self): ...\n")
    assert generator_of(tmp_path) is None  # what it inherits is not in sight
    path.write_text("def (")
    assert generator_of(tmp_path) is None
    assert generator_of(tmp_path / "none") is None
