"""`ttdirect bench` as a whole, against a server that plays OpenAI's routes."""

import json
import signal
import threading

import pytest

from cli.fake_server import HEALTHY, Answer, completion, event, loading, refusal
from ttdirect.cli.benchmark import load
from ttdirect.cli.main import main

COUNTED = {"prompt_tokens": 20, "completion_tokens": 2}


@pytest.fixture
def bench(server, capsys):
    """Run the command against the fake server; returns exit code, stdout and stderr."""
    server.healths, server.models = [], ["fake-1b"]
    server.answers = [Answer(completion("a", "b", **COUNTED))]

    def run(*arguments):
        code = main(["bench", "--url", f"{server.url}/v1", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def test_tables_are_data_and_progress_is_not(bench):
    code, out, err = bench("--concurrency", "1,2", "--prompt-tokens", "16,32", "--requests", "3")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert [row[:4] for row in rows[1:5]] == [
        ["1", "20", "3", "0"],
        ["2", "20", "3", "0"],
        ["1", "20", "3", "0"],
        ["2", "20", "3", "0"],
    ]
    assert out.count("time to first token") == 4
    assert "2 clients, prompts of 32 tokens: 3 answers in" in err


def test_the_document_holds_the_settings_and_every_case(bench, server):
    code, out, _ = bench("--json", "--seed", "5", "--requests", "2", "--warmup", "0")
    document = json.loads(out)
    assert code == 0
    assert document["model"] == "fake-1b"
    assert document["settings"]["seed"] == 5
    assert document["interrupted"] is False
    (case,) = document["cases"]
    assert (case["requests"], case["output_tokens"], case["failures"]) == (2, 4, {})
    assert case["output_tokens_counted_by"] == "server"
    assert case["ttft_ms"]["p50"] <= case["end_to_end_ms"]["p50"]


def test_every_request_streams_greedily_and_no_two_prompts_are_the_same(bench, server):
    assert bench("--requests", "4", "--ignore-eos", "--max-tokens", "9")[0] == 0
    assert set(server.paths) == {"/v1/chat/completions"}
    bodies = [body for body, _ in server.requests]
    assert len(bodies) == 2 + 1 + 4  # to learn the measure, to warm up, to measure
    last = dict(bodies[-1])
    prompts = {body["messages"][0]["content"] for body in bodies}
    assert len(prompts) == len(bodies)
    del last["messages"]
    assert last == {
        "model": "fake-1b",
        "max_tokens": 9,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "ignore_eos": True,
    }


def test_plain_completions_have_no_template(bench, server):
    texts = [event(choices=[{"text": text, "finish_reason": None}]) for text in ("a", "b")]
    last = event(choices=[{"text": "", "finish_reason": "length"}], usage=COUNTED)
    server.answers = [Answer([*texts, last, b"data: [DONE]\n\n"])]
    code, out, _ = bench("--completions", "--requests", "2", "--json")
    assert code == 0
    assert json.loads(out)["cases"][0]["output_tokens"] == 4
    assert set(server.paths) == {"/v1/completions"}
    body = server.requests[-1][0]
    assert "messages" not in body
    assert len(body["prompt"].split()) > 1


def test_prompts_of_another_length_than_asked_for_are_told(bench):
    assert "prompts of another length" in bench("--prompt-tokens", "64", "--requests", "1")[1]
    assert "prompts of another length" not in bench("--prompt-tokens", "22", "--requests", "1")[1]


def test_a_server_that_counts_nothing_is_measured_and_told(bench, server):
    server.answers = [Answer(completion("a", "b", "c"))]
    code, out, err = bench("--requests", "2")
    assert code == 0
    assert "a word is taken for a token" in err
    assert "note: the server counts no tokens" in out


def test_a_server_too_small_for_the_first_prompts_is_measured_all_the_same(bench, server):
    answer = Answer(completion("a", **COUNTED))
    server.answers = [refusal(400, "too long"), refusal(400, "too long"), answer]
    code, _, err = bench("--requests", "2")
    assert code == 0
    assert "a word is taken for a token" in err


def test_a_server_that_refuses_the_first_prompt_is_not_measured(bench, server):
    server.answers = [refusal(401, "This server needs an API key.")]
    code, out, err = bench("--requests", "2")
    assert (code, out) == (1, "")
    assert "error: This server needs an API key." in err


def test_failed_requests_are_an_exit_code(bench, server, monkeypatch):
    monkeypatch.setattr(load, "_PAUSE_SECONDS", 0)
    answer = Answer(completion("a", **COUNTED))
    server.answers = [answer, answer, answer, refusal(500, "The device failed."), answer]
    code, out, _ = bench("--requests", "3")
    assert code == 1
    assert "failed: concurrency 1, prompt 32: 1 x HTTP 500: The device failed." in out


def test_ctrl_c_prints_what_there_is(bench, server, monkeypatch):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hold = threading.Event()
    answer = Answer(completion("a", "b", **COUNTED))
    server.answers = [*[answer] * 4, Answer(completion("never"), hold=hold)]
    sleep = load.time.sleep

    def press(seconds):
        sleep(seconds)
        if len(server.requests) == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(load, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(load.time, "sleep", press)
    code, out, _ = bench("--requests", "9")
    hold.set()
    assert code == 130
    assert out.splitlines()[1].split()[:4] == ["1", "20", "1", "0"]
    assert out.endswith("interrupted: the last case is not complete\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--concurrency", "0"],
        ["--concurrency", "1,x"],
        ["--prompt-tokens", ""],
        ["--requests", "2", "--seconds", "2"],
        ["--max-tokens", "-1"],
    ],
)
def test_numbers_that_make_no_sense_are_wrong_usage(bench, server, arguments):
    code, out, err = bench(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: argument --")
    assert server.requests == []


def test_a_server_without_openai_s_routes_cannot_be_measured(server, capsys):
    assert main(["bench", "--url", server.url]) == 1
    assert "has no /v1 routes" in capsys.readouterr().err


def test_no_server_is_told_in_two_lines(capsys, free_port):
    assert main(["bench", "--url", f"http://127.0.0.1:{free_port}/v1"]) == 1
    what, fix = capsys.readouterr().err.splitlines()
    assert what == f"error: no server answers on http://127.0.0.1:{free_port}/v1"
    assert fix.startswith("fix:   start one with: ttdirect serve")


@pytest.mark.usefixtures("quick")
def test_a_server_that_loads_is_waited_for(bench, server):
    server.model_reports = [loading("", 0.0), (503, {"error": {"message": "Loading model"}})]
    code, _, err = bench("--requests", "1")
    assert code == 0
    assert "The server is loading: Loading model" in err


def test_the_key_is_the_environment_s(bench, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "general")
    bench("--requests", "1")
    assert server.requests[-1][1]["Authorization"] == "Bearer general"
    monkeypatch.setenv("TTDIRECT_API_KEY", "own")
    bench("--requests", "1")
    assert server.requests[-1][1]["Authorization"] == "Bearer own"


def test_what_is_published_stands_beside_what_was_measured(bench, server):
    server.models = ["Llama-3.1-8B-Instruct"]
    server.healths = [(200, {**HEALTHY, "model": "Llama-3.1-8B-Instruct", "device": "N150"})]
    code, out, _ = bench("--concurrency", "1,2", "--requests", "2")
    assert code == 0
    table = out.split("\n\n")[2].splitlines()
    assert table[0] == "clients  prompt  on N150                measured  published"
    assert table[1].split()[:2] == ["1", "20"]
    assert table[1].endswith("  28.3  measured in 2025, superseded")
    assert table[2].endswith(" 104.0  with prompts of 128 tokens")
    assert not any(line.startswith("      2") for line in table)
    assert max(len(line) for line in out.splitlines()) <= 100


def test_the_document_holds_what_is_published_for_every_batch(bench, server):
    server.models = ["Llama-3.1-8B-Instruct"]
    server.healths = [(200, {**HEALTHY, "device": "P150"})]
    (figure,) = json.loads(bench("--requests", "1", "--json")[1])["published"]
    assert (figure["system"], figure["batch"], figure["tokens_per_second"]) == ("P150", 32, 42.0)


def test_nothing_is_published_for_the_cpu_or_for_other_models(bench, server):
    server.healths = [(200, {**HEALTHY, "device": "N150"})]
    assert "published" not in bench("--requests", "1")[1]
    server.models = ["Llama-3.1-8B-Instruct"]
    server.healths = [(200, HEALTHY)]
    assert "published" not in bench("--requests", "1")[1]
