"""Each rule finds what it should, stays silent where it should, and mends what it can."""

import ast

import pytest

from ttdirect.language_server.rules.catalogue import RULES
from ttdirect.language_server.rules.finding import Context, Parameters

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
GENERATOR = """\
import threading

import torch
from flask import Flask
from ttdirect.generator import Generator, create_tt_model

app = Flask(__name__)
LOCK = threading.Lock()
generator = None


def load(mesh):
    global generator
    args, model, cache, weights = create_tt_model(mesh, True, 32)
    generator = Generator([model], [args], mesh)
"""


@pytest.mark.parametrize("rule", RULES, ids=lambda it: it.code)
def test_the_bad_example_is_found_and_the_good_one_is_not(rule, found):
    assert [code for code, _ in found(rule.bad, rule.language, rule.context)] == [rule.code]
    assert found(rule.good, rule.language, rule.context) == []


def test_codes_are_in_order_and_every_name_is_there_once():
    assert [it.code for it in RULES] == [f"TT{number:03}" for number in range(1, len(RULES) + 1)]
    assert len({it.name for it in RULES}) == len(RULES)


FOUND = {
    "host by an option": (
        FLASK + "import argparse\np = argparse.ArgumentParser()\n"
        "p.add_argument('--host', default='0.0.0.0')\napp.run(host=p.parse_args().host)\n",
        ("TT001", "p.parse_args().host"),
    ),
    "host by a constant": (FLASK + "HOST = '::'\napp.run(HOST)\n", ("TT001", "HOST")),
    "host of an app factory": (
        ("from flask import Flask\n\ndef make():\n    app = Flask('a')\n    return app\n\n"
        "make().run('192.168.1.5')\n"),
        ("TT001", "'192.168.1.5'"),
    ),
    "an open server of ours": (
        ("from ttdirect import server\nserver.protect(app)\n"
        "server.serve(app, engine, '0.0.0.0', 8080, allow_open=True)\n"),
        ("TT001", "'0.0.0.0'"),
    ),
    "processes": (
        FLASK + "from ttdirect.engine import Engine\nengine = Engine(load)\napp.run(processes=2)\n",
        ("TT002", "2"),
    ),
    "gunicorn by subprocess": (
        "import subprocess\nsubprocess.run(['gunicorn', '-w', '4', 'tt-api-server-direct:app'])\n",
        ("TT002", "['gunicorn', '-w', '4', 'tt-api-server-direct:app']"),
    ),
    "loaded by what a route calls": (
        GENERATOR + "@app.get('/')\ndef r():\n    load(None)\n    return ''\n",
        ("TT003", "load(None)"),
    ),
    "loaded at import by a function": (
        GENERATOR + "load(None)\n\n@app.get('/')\ndef r():\n    return ''\n\n"
        "if __name__ == '__main__':\n    app.run()\n",
        ("TT004", "load(None)"),
    ),
    "no lock in a helper": (
        GENERATOR + "def step():\n    return generator.decode_forward_text(1, 2)\n\n"
        "@app.post('/chat')\ndef chat():\n    return step()\n\napp.run()\n",
        ("TT005", "generator.decode_forward_text"),
    ),
    "no lock in a class": (
        ("from flask import Flask\nfrom ttdirect.generator import Generator\n"
        "app = Flask('a')\nclass Bot:\n    def __init__(self, m, a, d):\n"
        "        self.generator = Generator([m], [a], d)\n    def say(self):\n"
        "        return self.generator.prefill_forward_text(1)\n"
        "bot = Bot(1, 2, 3)\n@app.post('/chat')\ndef chat():\n    return bot.say()\napp.run()\n"),
        ("TT005", "self.generator.prefill_forward_text"),
    ),
    "context length": (
        "from ttdirect.engine import Engine\nMAX = 1000\nEngine(f, max_seq_len=MAX)\n",
        ("TT006", "1000"),
    ),
    "batch of several models": (
        "from ttdirect.engine import Engine\nEngine(f, max_batch_size=33, data_parallel=2)\n",
        ("TT006", "33"),
    ),
    "temperature": (
        "from ttdirect.engine import Engine\nengine = Engine(f)\nengine.ask('a', temperature=3)\n",
        ("TT006", "3"),
    ),
    "port": (FLASK + "app.run('localhost', 80000)\n", ("TT006", "80000")),
    "a token of the hub": (
        "login('hf_abcdefghijklmnopqrstuvwxyz0123')\n",
        ("TT007", "'hf_abcdefghijklmnopqrstuvwxyz0123'"),
    ),
    "a secret in the environment": (
        "import os\nos.environ['HF_TOKEN'] = 'abcdefgh1234'\n", ("TT007", "'abcdefgh1234'"),
    ),
    "debug by attribute": (FLASK + "app.debug = True\n", ("TT008", "True")),
    "debug by config": (FLASK + "app.config['DEBUG'] = True\n", ("TT008", "True")),
    "limiter with both": (
        FLASK + "from flask_limiter import Limiter\nLimiter(app, key_func=f)\n", ("TT009", "app"),
    ),
    "a key by name": (
        "def ok(given_api_key, api_key):\n    return given_api_key == api_key\n",
        ("TT010", "given_api_key == api_key"),
    ),
    "a header by variable": (
        ("from flask import request\ndef no():\n    auth = request.headers.get('Authorization')\n"
        "    return auth != f'Bearer {TOKEN}'\n"),
        ("TT010", "auth != f'Bearer {TOKEN}'"),
    ),
    "a stream by its type": (
        FLASK + "def words():\n    yield 'a'\n\n@app.get('/s')\ndef s():\n"
        "    return app.response_class(words(), mimetype='text/event-stream')\n\n"
        "app.run(threaded=False)\n",
        ("TT011", "False"),
    ),
    "health under the model's lock": (
        GENERATOR + "@app.get('/health')\ndef health():\n    with LOCK:\n        return str(1)\n\n"
        "def step():\n    with LOCK:\n        generator.decode_forward_text(1, 2)\n",
        ("TT012", "str(1)"),
    ),
    "health that sleeps": (
        FLASK + "import time\n@app.get('/health')\ndef h():\n    time.sleep(1)\n    return ''\n",
        ("TT012", "time.sleep(1)"),
    ),
    "a cache that is no list": (
        ("from ttdirect.generator import Generator, create_tt_model\n"
        "args, model, cache, _ = create_tt_model(mesh)\n"
        "g = Generator([model], [args], mesh)\ng.decode_forward_text(t, p, kv_cache=cache)\n"),
        ("TT017", "cache"),
    ),
    "tokens in one dimension": (
        GENERATOR + "def step():\n    with LOCK:\n"
        "        generator.decode_forward_text(torch.tensor([1, 2]), None)\n",
        ("TT017", "torch.tensor([1, 2])"),
    ),
    "prompts and their lengths": (
        GENERATOR + "def read():\n    tokens = torch.zeros((2, 128))\n"
        "    generator.prefill_forward_text(tokens, prompt_lens=[7])\n",
        ("TT017", "[7]"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND)
def test_is_found(text, expected, found):
    assert found(text) == [expected]


SILENT = {
    "a key is asked for": FLASK + "def f():\n    check('Authorization')\napp.run('0.0.0.0')\n",
    "the host is not known": FLASK + "app.run(host=settings.host)\n",
    "an app of another kind": "from other import Flask\nFlask().run('0.0.0.0', debug=True)\n",
    "workers without a model": FLASK + "app.run(processes=2)\n",
    "loaded once and kept": GENERATOR + "@app.get('/')\ndef r():\n    if generator is None:\n"
    "        load(None)\n    return ''\n",
    "a cached loader": GENERATOR + "@cache\ndef once():\n    load(None)\n\n@app.get('/')\n"
    "def r():\n    once()\n    return ''\n",
    "loaded at import without a main": GENERATOR + "load(None)\n@app.get('/')\ndef r():\n    ...\n",
    "loaded in main": GENERATOR + "@app.get('/')\ndef r():\n    ...\n"
    "if __name__ == '__main__':\n    load(None)\n    app.run()\n",
    "a lock around the call of a helper": GENERATOR
    + "def step():\n    return generator.decode_forward_text(1, 2)\n\n"
    "@app.post('/chat')\ndef chat():\n    with LOCK:\n        return step()\n\napp.run()\n",
    "a lock by hand": GENERATOR + "@app.post('/chat')\ndef chat():\n    LOCK.acquire()\n    try:\n"
    "        return generator.decode_forward_text(1, 2)\n    finally:\n        LOCK.release()\n"
    "app.run()\n",
    "a lock by decorator": GENERATOR + "@app.post('/chat')\n@one_at_a_time_lock\ndef chat():\n"
    "    return generator.decode_forward_text(1, 2)\napp.run()\n",
    "one thread": GENERATOR + "@app.post('/chat')\ndef chat():\n"
    "    return generator.decode_forward_text(1, 2)\napp.run(threaded=False)\n",
    "a thread of its own": GENERATOR + "def work():\n    generator.decode_forward_text(1, 2)\n"
    "threading.Thread(target=work).start()\n@app.post('/chat')\ndef chat():\n    put()\n"
    "app.run()\n",
    "a batch of a constant with two values": "from ttdirect.engine import Engine\nN = 3\nN = 5\n"
    "Engine(f, max_batch_size=N)\n",
    "a batch of two models": "from ttdirect.engine import Engine\n"
    "Engine(f, max_batch_size=64, data_parallel=2)\n",
    "names of variables": "API_KEY_NAME = 'TTDIRECT_API_KEY'\napi_key = 'TTDIRECT_API_KEY'\n",
    "tokens of text": "eos_token = '</s>'\nstop_token = 'stop-here-1234'\n",
    "a header's name": "API_KEY_HEADER = 'X-API-Key'\nauth_key = 'X-API-Key'\n",
    "an empty key": "api_key = ''\npassword = None\n",
    "a comparison with nothing": "def f(api_key):\n    return api_key == '' or api_key != None\n",
    "another header": "def f(request):\n    return request.headers.get('Accept') == 'text/html'\n",
    "debug from the environment": FLASK + "import os\napp.run(debug=bool(os.environ.get('D')))\n",
    "a limiter": FLASK + "from flask_limiter import Limiter\nLimiter(f, app=app)\n",
    "a limiter of another kind": FLASK + "from mine import Limiter\nLimiter(app)\n",
    "a stream with threads": FLASK + "from flask import stream_with_context\n"
    "stream_with_context(x)\napp.run()\n",
    "health with another lock": GENERATOR + "@app.get('/health')\ndef health():\n"
    "    with STATE_LOCK:\n        return str(1)\n",
    "health that may be busy": GENERATOR + "@app.get('/health')\ndef health():\n"
    "    if LOCK.acquire(blocking=False):\n        LOCK.release()\n    return ''\n",
    "shapes that are not known": GENERATOR + "def step(n, t):\n"
    "    generator.decode_forward_text(torch.zeros(n, 1), t, page_table=torch.zeros(2, n))\n",
    "a cache in a list": "from ttdirect.generator import Generator, create_tt_model\n"
    "args, model, cache, _ = create_tt_model(mesh)\n"
    "Generator([model], [args], mesh).decode_forward_text(t, p, kv_cache=[cache])\n",
    "a request to somebody else": "# ttdirect\nimport requests\n"
    "requests.post('https://api.example.com/chat', json={'message': 'a'})\n",
    "a request of no concern": "import requests\n"
    "requests.post('http://127.0.0.1:8080/chat', json={'message': 'a'})\n",
    "a script with fields of its own": "# tt-metal\n" + FLASK + "@app.post('/chat')\ndef chat():\n"
    "    ...\napp.test_client().post('/chat', json={'message': 'a'})\n",
}


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT)
def test_is_silent(text, found):
    ast.parse(text)  # else it would be silent for a poor reason
    assert found(text) == []


WITHOUT_A_FIX = {"TT003", "TT004", "TT005", "TT012", "TT016", "TT018"}
"""What only a person can mend."""
CANNOT_ALWAYS = {"TT001", "TT002", "TT007", "TT017"}
"""What has a fix only where the place to change is in sight."""


@pytest.mark.parametrize("text", [*(it for it, _ in FOUND.values()), *(it.bad for it in RULES)])
def test_a_fix_leaves_nothing_to_find_and_a_text_that_parses(text, fixes_of):
    rule = next((it for it in RULES if it.bad == text), None)
    kind, context = (rule.language, rule.context) if rule else ("python", Context())
    for code, fixed, left in fixes_of(text, kind, context):
        if fixed is None:
            assert code in WITHOUT_A_FIX | CANNOT_ALWAYS
            continue
        assert code not in WITHOUT_A_FIX
        assert left == []
        if kind == "python":
            ast.parse(fixed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            ("import os\nfrom flask import request\n\ndef ok():\n"
            "    return request.headers.get('X-API-Key') != KEY\n"),
            ("import os\nfrom flask import request\nimport hmac\n\ndef ok():\n"
            "    return not hmac.compare_digest((request.headers.get('X-API-Key') or '').encode(), "
            "KEY.encode())\n"),
        ),
        ('"""Doc."""\nAPI_TOKEN = "abcd1234"\n',
         '"""Doc."""\n\nimport os\nAPI_TOKEN = os.environ["API_TOKEN"]\n'),
        ("import os\r\nAPI_TOKEN = 'abcd1234'\r\n",
         'import os\r\nAPI_TOKEN = os.environ["API_TOKEN"]\r\n'),
    ],
)  # fmt: skip
def test_fixes(text, expected, mended):
    assert mended(text) == expected


OURS = "tt-api-server-direct.py\n\n```sh\n{}\n```\n"


@pytest.mark.parametrize(
    ("command", "context", "expected"),
    [
        ("curl http://localhost:9999/health", Context(script_port=8080), [("TT013", "9999")]),
        ("curl http://localhost:9999/health", Context(settings_port=8081), [("TT013", "9999")]),
        ("curl http://localhost:8080/health", Context(script_port=8080), []),
        ("curl http://localhost:9999/health", Context(), []),
        ("curl http://localhost:9999/other", Context(script_port=8080), []),
        ("curl http://example.com:9999/health", Context(script_port=8080), []),
        ("gunicorn -w1 -b :9000 tt-api-server-direct:app\ncurl localhost:9000/health",
         Context(script_port=8080), []),
        (("python ~/tt-api-server-direct.py\npython tt-api-server-direct.py --port 9000\n"
         "curl localhost:8080/health"), Context(script_port=8080), []),
        ("ttdirect serve --port 9000\ncurl localhost:8080/health", Context(script_port=8080),
         [("TT013", "8080")]),
        ("gunicorn --workers=3 tt-api-server-direct:app", Context(), [("TT002", "3")]),
        ("gunicorn -w $N tt-api-server-direct:app", Context(), []),
        ("ttdirect serve --host 0.0.0.0 --no-api-key", Context(), [("TT001", "--no-api-key")]),
        ("ttdirect serve --host 127.0.0.1 --no-api-key", Context(), []),
    ],
)  # fmt: skip
def test_commands(command, context, expected, found):
    assert found(OURS.format(command), "markdown", context) == expected


def test_a_signature_with_required_commands(found):
    decode = Parameters(frozenset({"tokens", "start_pos", "reload_inputs"}),
                        frozenset({"reload_inputs"}))  # fmt: skip
    context = Context(generator={"decode_forward": decode}, tt_metal="/tt")
    start = (
        "from models.tt_transformers.tt.generator import Generator\ng = Generator([m], [a], d)\n"
    )
    assert found(start + "g.decode_forward(t, p)\n", context=context) == [
        ("TT018", "g.decode_forward")
    ]
    assert found(start + "g.decode_forward(t, p, reload_inputs=True)\n", context=context) == []
    assert found(start + "g.decode_forward(t, p, **more)\n", context=context) == []
    assert found(
        start + "g.decode_forward(t, p, reload_inputs=True, reset_batch=True)\n", context=context
    ) == [("TT018", "reset_batch=True")]
    assert found(start + "g.decode_forward_text(t, p)\n") == []  # no clone is known
