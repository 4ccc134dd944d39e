"""Requests that Markdown, shell and Python texts show."""

import pytest

from ttdirect.language_server.analysis.document import Document

CURL = """curl -sX POST http://localhost:9000/chat \\
  -H "Content-Type: application/json" \\
  -d '{
    "prompt": "Hé",
    "stop": ["a"]
  }'
"""


def requests_of(text, kind="markdown"):
    return Document("file:///a", kind, text).requests


def fenced(text, language="sh", indent=""):
    lines = [f"```{language}", *text.rstrip("\n").split("\n"), "```"]
    return "".join(f"{indent}{line}\n" for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(fenced(CURL), id="plain"),
        pytest.param(fenced(CURL).replace("\n", "\r\n"), id="CRLF"),
        pytest.param("1. a step\n\n" + fenced(CURL, indent="   "), id="in a list"),
        pytest.param("> " + fenced(CURL).rstrip("\n").replace("\n", "\n> "), id="in a quote"),
        pytest.param(fenced("$ " + CURL.replace("\n", "\n", 1), "console"), id="a session"),
        pytest.param("~~~bash\n" + CURL + "~~~\n", id="tildes"),
    ],
)
def test_a_curl_command_is_found_wherever_it_stands(text):
    (request,) = requests_of(text)
    assert (request.method, request.url.host, request.url.port) == ("POST", "localhost", 9000)
    assert request.url.path == "/chat"
    assert request.headers == (("Content-Type", "application/json"),)
    assert request.body.as_python() == {"prompt": "Hé", "stop": ["a"]}
    member = request.body.member("prompt")
    assert text[member.key_span.start : member.key_span.end] == '"prompt"'
    assert text[member.value.span.start : member.value.span.end] == '"Hé"'
    assert text[request.url.port_span.start : request.url.port_span.end] == "9000"


@pytest.mark.parametrize(
    ("command", "method", "path", "body"),
    [
        ("curl localhost:8080/health", "GET", "/health", None),
        ("curl -XDELETE http://a:1/x", "DELETE", "/x", None),
        ("curl http://a:1/x --json '{\"a\": 1}'", "POST", "/x", {"a": 1}),
        ("curl http://a:1/x --data='{\"a\": 1}'", "POST", "/x", None),
        ('curl http://a:1/x -d "{}"', "POST", "/x", {}),
        ('curl http://a:1/x -d "{\\"a\\": 1}"', "POST", "/x", None),
        ('curl "$URL/chat" -d @body.json', "POST", "/chat", None),
        ("curl -o out -m 5 http://a:1/x", "GET", "/x", None),
        ("time curl http://a:1/x", None, None, None),
        ("echo curl", None, None, None),
    ],
)
def test_forms_of_curl(command, method, path, body):
    found = requests_of(command + "\n", "shell")
    if method is None:
        assert found == []
        return
    (request,) = found
    assert (request.method, request.url.path) == (method, path)
    assert (request.body.as_python() if request.body else None) == body


@pytest.mark.parametrize(
    ("text", "path", "body"),
    [
        ("import requests\nrequests.post('http://127.0.0.1:8080/chat', json={'prompt': 'a'})",
         "/chat", {"prompt": "a"}),
        ("import requests as r\ns = r.Session()\ns.post(BASE + '/chat', json={'prompt': x})",
         "/chat", {"prompt": None}),
        ("body = {'prompt': 'a'}\nclient.post('/chat', json=body)", "/chat", {"prompt": "a"}),
        ("client = app.test_client()\nclient.get('/health')", "/health", None),
        ("import requests\nrequests.post(f'{base}/chat', json={'max_tokens': 1, **more})",
         "/chat", {"max_tokens": 1}),
    ],
)  # fmt: skip
def test_requests_of_python(text, path, body):
    (request,) = requests_of(text, "python")
    assert request.url.path == path
    assert (request.body.as_python() if request.body else None) == body


def test_a_route_is_no_request():
    assert requests_of("@app.post('/chat')\ndef chat(): ...\nd.get('key')", "python") == []


def test_http_blocks():
    text = fenced(
        "POST http://127.0.0.1:8080/chat\nAccept: text/plain\n\n"
        '{"prompt": "a"}\n\n###\n\nGET http://127.0.0.1:8080/health\n',
        "http",
    )
    first, second = requests_of(text)
    assert first.headers == (("Accept", "text/plain"),)
    assert first.body.as_python() == {"prompt": "a"}
    assert (second.method, second.url.path, second.body) == ("GET", "/health", None)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"prompt": "a", // why not\n "max_tokens": 3}', "/chat"),
        ('{"messages": []}', "/v1/chat/completions"),
        ('{"prompt": "a", "response": "b"}', None),
        ('{"status": "healthy"}', None),
        ("[1]", None),
    ],
)
def test_a_json_block_is_a_request_where_it_plainly_is_one(text, path):
    assert [it.url.path for it in requests_of(fenced(text, "json"))] == ([path] if path else [])


def test_half_a_json_object_still_has_members():
    (request,) = requests_of(fenced('{"prompt": "a", "temperature": 3, "max', "json"))
    assert [it.key for it in request.body.members][:2] == ["prompt", "temperature"]
    assert not request.body.is_whole
