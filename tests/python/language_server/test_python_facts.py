"""What a Python text says: symbols, values, routes, and what is left of broken text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttdirect.language_server.analysis.document import Document, Shift
from ttdirect.language_server.analysis.expressions import UNKNOWN
from ttdirect.language_server.analysis.python_reader import read_python
from ttdirect.language_server.analysis.source import Source, Span
from ttdirect.script.render import ScriptSettings, render

SCRIPT = render(ScriptSettings(device="cpu", model="demo"))


def facts_of(text):
    return read_python(Source(text))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("from flask import Flask\nf(Flask)", {"flask.Flask"}),
        ("from flask import Flask as F\nf(F())", {"flask.Flask()"}),
        ("import flask as fl\nf(fl.Flask)", {"flask.Flask"}),
        ("import a.b\nf(a.b.c)", {"a.b.c"}),
        ("import a\nx = a.B()\nf(x.run)", {"a.B().run"}),
        ("import a\nx: a.B = make()\nf(x)", {"make()"}),
        ("import a\nx = None\ndef g():\n    global x\n    x = a.B()\nf(x)", {"a.B()"}),
        ("import a\ndef make():\n    x = a.B()\n    return x\nf(make())", {"a.B()"}),
        ("import a\np, (q, r) = a.four()\nf(q)", set()),
        ("import a\np, q = a.two()\nf(q)", {"a.two()#1"}),
        ("import a, b\nx = a.A() if y else b.B()\nf(x)", {"a.A()", "b.B()"}),
        ("try:\n    import a as x\nexcept ImportError:\n    import b as x\nf(x)", {"a", "b"}),
        ("import a\ndef g(x: a.B):\n    f(x.run)", {"a.B().run"}),
        ("import a\ndef g(x):\n    f(x)", set()),
        ("for x in y:\n    f(x)", set()),
        ("import a\nwith a.open() as x:\n    f(x)", {"a.open()"}),
        ("import a\nif (x := a.B()):\n    f(x)", {"a.B()"}),
        (("import a\nclass C:\n    def __init__(self):\n        self.m = a.B()\n"
         "    def g(self):\n        f(self.m.run)"), {"a.B().run"}),
        ("import a\nstate.m = a.B()\nf(state.m)", {"a.B()"}),
        ("x = x.y\nf(x)", set()),
        ("def g():\n    return g()\nf(g())", set()),
    ],
)  # fmt: skip
def test_symbols(text, symbols):
    facts = facts_of(text)
    (call,) = [it for it in facts.calls if it.callee.text == "f"]
    assert call.arguments[0].symbols == symbols


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f(32_768 // 32 + 1)", 1025),
        ("N = 8\nf(N * 4)", 32),
        ("N = 8\nN = 16\nf(N)", UNKNOWN),
        ("N = 8\nN += 1\nf(N)", UNKNOWN),
        ("f(-1)", -1),
        ("f(9 ** 9 ** 9)", UNKNOWN),
        ("f(1 / 0)", UNKNOWN),
        ("f('a' 'b')", "ab"),
        ("f(f'{x}')", UNKNOWN),
        ("f([1, (2, 3)])", [1, [2, 3]]),
        ("f([1, x])", UNKNOWN),
        ("import os\nf(os.environ.get('P', '80'))", "80"),
        ("import os\nf(int(os.getenv('P', '80')))", 80),
        ("import os\nf(os.environ.get('P') or 'demo')", "demo"),
        (("import argparse\np = argparse.ArgumentParser()\n"
         "p.add_argument('--my-host', default='::')\no = p.parse_args()\nf(o.my_host)"), "::"),
        ("def g(n=3):\n    f(n)", UNKNOWN),
    ],
)  # fmt: skip
def test_values(text, value):
    (call,) = [it for it in facts_of(text).calls if it.callee.text == "f"]
    assert call.arguments[0].value == value


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        ("@app.route('/a', methods=['POST', 'get'])\ndef f(): ...", [("/a", ("POST", "GET"))]),
        ("@app.get('/a')\n@other\ndef f(): ...", [("/a", ("GET",))]),
        ("@bp.route('/a')\nasync def f(): ...", [("/a", ("GET",))]),
        ("def f(): ...\napp.add_url_rule('/a', view_func=f)", [("/a", ("GET",))]),
        ("def f(): ...\napp.add_url_rule('/a', 'a', f, methods=('PUT',))", [("/a", ("PUT",))]),
        (("class V:\n    def get(self): ...\n    def post(self): ...\n"
         "app.add_url_rule('/a', view_func=V.as_view('v'))"),
         [("/a", ("GET",)), ("/a", ("POST",))]),
        ("@app.get(path)\ndef f(): ...", []),
        ("requests.get('/a')", []),
    ],
)  # fmt: skip
def test_routes(text, routes):
    assert [(it.path, it.methods) for it in facts_of(text).routes] == routes


def test_what_a_route_reaches_comes_with_the_way_there():
    facts = facts_of(
        "@app.get('/')\ndef r():\n    a()\n\ndef a():\n    b()\n    a()\n\ndef b(): x()\n"
    )
    reached = [
        (call.callee.text, [it.callee.text for it in way])
        for call, way in facts.reached_from(facts.routes[0].function)
    ]
    assert sorted(reached) == [("a", []), ("a", ["a"]), ("b", ["a"]), ("x", ["a", "b"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_ending_gives_the_same_facts(end):
    text = "@app.get('/a')\ndef f():\n    g(1)\n".replace("\n", end)
    facts = facts_of(text)
    assert [it.path for it in facts.routes] == ["/a"]
    assert [text[it.span.start : it.span.end] for it in facts.calls][-1] == "g(1)"


def test_spans_count_characters_and_not_bytes():
    text = "x = 'é😀'; g(x)"
    (call,) = facts_of(text).calls
    assert text[call.span.start : call.span.end] == "g(x)"


BREAKS = {
    "open call": lambda text: text.replace("engine.ask(prompt,", "engine.ask("),
    "half a line": lambda text: text.replace("app = Flask(__name__)", "app = Flask(__name__)\nif "),
    "open string": lambda text: text.replace('"/chat")', '"/chat)'),
    "lost colon": lambda text: text.replace("def health():", "def health()"),
    "extra indent": lambda text: text.replace("    report =", "        report ="),
}


@pytest.mark.parametrize("break_it", BREAKS.values(), ids=BREAKS)
def test_broken_text_still_gives_facts(break_it):
    text = break_it(SCRIPT)
    assert text != SCRIPT
    facts = facts_of(text)
    assert ".main" in facts.functions
    assert facts.calls_of("ttdirect.server.serve")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_parsing_again_gives_what_parsing_afresh_gives(data):
    start = data.draw(st.integers(0, len(SCRIPT)))
    end = data.draw(st.integers(start, min(len(SCRIPT), start + 30)))
    text = SCRIPT[:start] + data.draw(st.text("ab(é😀\n\"': ", max_size=12)) + SCRIPT[end:]
    before = Document("u", "python", SCRIPT)
    assert not before.is_broken  # now it has a tree to begin with
    again = Document("u", "python", text, before=before)
    afresh = Document("u", "python", text)
    assert str(again.python.root) == str(afresh.python.root)
    assert [it.span for it in again.python.calls] == [it.span for it in afresh.python.calls]


@given(st.text("ab\n", max_size=30), st.text("ab\n", max_size=5), st.data())
def test_a_shifted_span_holds_the_same_text(old, typed, data):
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, len(old)))
    new = old[:start] + typed + old[end:]
    first = data.draw(st.integers(0, len(old)))
    span = Span(first, data.draw(st.integers(first, len(old))))
    moved = Shift(old, new)(span)
    if moved is not None:
        assert new[moved.start : moved.end] == old[span.start : span.end]
    if span.end <= start:
        assert moved == span  # whatever is in front of a change stays
