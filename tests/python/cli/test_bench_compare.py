"""`ttdirect bench --compare`: two servers, asked the same in turns."""

import contextlib
import json
import threading

import pytest

from cli.fake_server import Answer, FakeServer, completion, refusal
from ttdirect.cli.benchmark.comparison import comparison
from ttdirect.cli.benchmark.figures import Figures, Percentiles
from ttdirect.cli.main import main

COUNTED = {"prompt_tokens": 20, "completion_tokens": 2}


@pytest.fixture
def other_server():
    """A second fake server."""
    with FakeServer() as server, contextlib.ExitStack() as stack:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield server


@pytest.fixture
def bench(server, other_server, capsys):
    """Run the command against both; returns exit code, stdout and stderr."""
    for one, model in (server, "ours"), (other_server, "theirs"):
        one.healths, one.models = [], [model]
        one.answers = [Answer(completion("a", "b", **COUNTED))]

    def run(*arguments):
        urls = ["--url", f"{server.url}/v1", "--compare", f"{other_server.url}/v1"]
        code = main(["bench", *urls, "--warmup", "0", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def test_both_are_asked_the_same_in_turns(bench, server, other_server):
    code, out, err = bench("--requests", "3", "--concurrency", "1,2", "--seed", "7")
    assert code == 0
    asked, others = (
        [body["messages"][0]["content"] for body, _ in one.requests]
        for one in (server, other_server)
    )
    assert sorted(asked) == sorted(others)
    assert {body["model"] for body, _ in other_server.requests} == {"theirs"}
    told = [line for line in err.splitlines() if "answers in" in line]
    assert [line.split(",")[0] for line in told] == ["1 client"] * 2 + ["2 clients"] * 2
    assert out.startswith(f"first: ours, {server.url}/v1/chat/completions\n")
    assert f"\nsecond: theirs, {other_server.url}/v1/chat/completions\n" in out
    table = out.rpartition("clients  prompt  figure")[2]
    assert table.count("first token, ms (p50)") == 2


def test_the_document_has_both(bench):
    code, out, _ = bench("--requests", "2", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["model"], document["compared"]["model"]) == ("ours", "theirs")
    assert [case["requests"] for case in document["compared"]["cases"]] == [2]


def test_a_key_goes_only_where_it_was_sent(bench, server, other_server, monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "our-own")
    bench("--requests", "1")
    assert {headers.get("Authorization") for _, headers in server.requests} == {"Bearer our-own"}
    assert {headers.get("Authorization") for _, headers in other_server.requests} == {None}
    monkeypatch.setenv("THEIR_KEY", "their-own")
    other_server.requests.clear()
    bench("--requests", "1", "--compare-api-key-env", "THEIR_KEY", "--compare-model", "theirs")
    sent = {headers.get("Authorization") for _, headers in other_server.requests}
    assert sent == {"Bearer their-own"}


def test_failures_of_the_second_server_count_too(bench, other_server):
    fine = Answer(completion("a", "b", **COUNTED))
    other_server.answers = [fine, fine, refusal(500, "broken")]
    code, out, _ = bench("--requests", "2")
    assert code == 1
    assert out.splitlines()[-1].split() == ["failed", "requests", "0.0", "2.0", "-"]


def figures(*, speed, first):
    times = Percentiles(first, None, None, first * 2)
    nothing = Percentiles(None, None, None, None)
    return Figures(
        4, 32, 30, None, 8, {}, 1.0, 64, "server", 1.0, speed, None, 2.0, times, nothing, times, 0.1
    )


def test_more_tokens_and_less_time_are_both_faster():
    rows = comparison([figures(speed=30.0, first=20.0)], [figures(speed=20.0, first=50.0)])
    lines = [line[17:].split() for line in rows.splitlines()[1:]]
    assert lines[0] == ["tokens/s,", "all", "together", "30.0", "20.0", "1.50"]
    assert lines[1] == ["tokens/s", "per", "user", "-", "-", "-"]
    assert lines[2] == ["first", "token,", "ms", "(p50)", "20.0", "50.0", "2.50"]
    assert len(lines) == 6
