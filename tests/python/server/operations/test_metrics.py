"""`/metrics`: vLLM's names and counting rules, for a run whose numbers are known."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from byte_tokenizer import CHAT_TOKENS
from engine_on_fakes import ENDLESS, make_engine, running_engine, stop_engine, text_of
from fake_generator import Gate
from operations_app import app_of, metrics_of
from ttdirect.engine import FinishReason, PromptTooLongError, QueueFullError
from waiting import wait_until

PROMPT_TOKENS = len("hello") + CHAT_TOKENS
ANSWER_TOKENS = len("Hi!") + 1  # the end token counts


def test_one_request_counts_as_in_vllm():
    with running_engine(answers={"hello": "Hi!"}) as engine:
        assert text_of(engine.ask("hello", max_tokens=16)) == "Hi!"
        metrics = metrics_of(engine)
    assert metrics("ttdirect:prompt_tokens_total") == PROMPT_TOKENS
    assert metrics("ttdirect:generation_tokens_total") == ANSWER_TOKENS
    assert metrics("ttdirect:prefix_cache_queries_total") == PROMPT_TOKENS
    assert metrics("ttdirect:prefix_cache_hits_total") == 0
    for reason in FinishReason:
        ended = metrics("ttdirect:request_success_total", finished_reason=reason.value)
        assert ended == (reason is FinishReason.STOP)

    # One step reads the prompt and makes the first token; each of the others makes one.
    assert metrics("ttdirect:iteration_tokens_total_count") == ANSWER_TOKENS
    assert metrics("ttdirect:iteration_tokens_total_sum") == PROMPT_TOKENS + ANSWER_TOKENS
    assert metrics("ttdirect:time_to_first_token_seconds_count") == 1
    assert metrics("ttdirect:inter_token_latency_seconds_count") == ANSWER_TOKENS - 1
    assert metrics("ttdirect:request_prompt_tokens_sum") == PROMPT_TOKENS
    assert metrics("ttdirect:request_prompt_tokens_bucket", le="5.0") == 0
    assert metrics("ttdirect:request_prompt_tokens_bucket", le="10.0") == 1
    assert metrics("ttdirect:request_generation_tokens_sum") == ANSWER_TOKENS
    assert metrics("ttdirect:request_params_max_tokens_sum") == 16
    for time in ("e2e_request_latency", *_times_of_a_request()):
        assert metrics(f"ttdirect:{time}_seconds_count") == 1


def test_what_the_prefix_cache_held_is_counted_in_tokens():
    prompt = "x" * 20
    tokens = len(prompt) + CHAT_TOKENS
    with running_engine(block_size=8, prefill_chunk=8) as engine:
        for _ in range(2):
            text_of(engine.ask(prompt, max_tokens=1))
        metrics = metrics_of(engine)
    assert metrics("ttdirect:prefix_cache_queries_total") == 2 * tokens
    # The third piece holds the prompt's last token, which is always computed.
    assert metrics("ttdirect:prefix_cache_hits_total") == 16
    assert metrics("ttdirect:prompt_tokens_total") == 2 * tokens
    assert metrics("ttdirect:iteration_tokens_total_sum") == 2 * tokens - 16 + 2


def test_drafts_are_counted_under_vllms_names():
    song = "row, row, row your boat; " * 3
    with running_engine(answers={song: song}, verifies_drafts=True, max_batch_size=16) as engine:
        assert text_of(engine.ask(song)) == song
        metrics, stats = metrics_of(engine), engine.stats
    drafts, drafted, accepted = (
        metrics(f"ttdirect:spec_decode_num_{what}_total")
        for what in ("drafts", "draft_tokens", "accepted_tokens")
    )
    assert (drafts, drafted) == (stats.drafts, stats.draft_tokens)
    assert 0 < drafts < drafted
    # Each step but the prompt's gave the accepted tokens, and one more.
    steps = metrics("ttdirect:iteration_tokens_total_count")
    assert accepted == len(song) + 1 - steps
    assert metrics("ttdirect:inter_token_latency_seconds_count") == len(song)


def _times_of_a_request():
    return [f"request_{part}_time" for part in ("queue", "inference", "prefill", "decode")]


def test_the_times_of_a_request_add_up():
    with running_engine(answers={"hello": "Hi!"}) as engine:
        text_of(engine.ask("hello"))
        metrics = metrics_of(engine)

    def seconds(name):
        return metrics(f"ttdirect:{name}_seconds_sum")

    queue, inference, prefill, decode = map(seconds, _times_of_a_request())
    assert prefill + decode == pytest.approx(inference)
    assert queue + prefill == pytest.approx(seconds("time_to_first_token"))
    assert seconds("inter_token_latency") == pytest.approx(decode)
    assert queue + inference <= seconds("e2e_request_latency")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_tokens": 2}, "length"),
        ({"stop": ["brown"]}, "stop"),
        ({"max_tokens": 2000}, "length"),
    ],
)
def test_requests_are_counted_by_why_they_ended(options, reason):
    with running_engine(answers=lambda _: ENDLESS) as engine:
        text_of(engine.ask("hello", **options))
        wait_until(lambda: not engine.health().running)
        metrics = metrics_of(engine)
    for other in FinishReason:
        ended = metrics("ttdirect:request_success_total", finished_reason=other.value)
        assert ended == (other.value == reason)


def test_a_client_that_leaves_is_counted_as_such():
    gate = Gate(shut=True)
    with running_engine(answers=lambda _: ENDLESS, gate=gate) as engine:
        answer = engine.ask("hello")
        gate.wait_until_held()
        answer.cancel()
        gate.open()
        wait_until(lambda: not engine.health().running)
        metrics = metrics_of(engine)
    assert metrics("ttdirect:request_success_total", finished_reason="cancelled") == 1


def test_who_runs_who_waits_and_who_is_refused():
    gate = Gate(shut=True)
    with running_engine(max_batch_size=1, max_queued=1, gate=gate) as engine:
        answers = [engine.ask("one")]
        gate.wait_until_held()
        answers.append(engine.ask("two"))
        with pytest.raises(QueueFullError):
            engine.ask("three")
        with pytest.raises(PromptTooLongError):
            engine.ask("x" * 300)
        metrics = metrics_of(engine)
        gate.open()
        for answer in answers:
            text_of(answer)
        after = metrics_of(engine)
    assert metrics("ttdirect:num_requests_running") == 1
    assert metrics("ttdirect:num_requests_waiting") == 1
    assert metrics("ttdirect:admission_rejections_total", reason="queue_full") == 1
    assert metrics("ttdirect:admission_rejections_total", reason="prompt_too_long") == 1
    # "one" with 4 tokens around it and 128 of answer need 17 of the 32 blocks.
    assert metrics("ttdirect:kv_cache_usage_perc") == pytest.approx(17 / 32)
    assert after("ttdirect:num_requests_waiting") == 0


def test_the_settings_of_the_cache_are_labels():
    with running_engine(max_batch_size=2, block_size=8, max_seq_len=256) as engine:
        value = metrics_of(engine)(
            "ttdirect:cache_config_info",
            block_size="8",
            num_gpu_blocks="65",
            max_model_len="256",
            max_num_seqs="2",
            enable_prefix_caching="True",
        )
    assert value == 1


def test_a_name_with_odd_characters_is_escaped():
    name = 'a"quoted" \\ name\nof two lines'
    with running_engine(name=name) as engine:
        metrics = metrics_of(engine)
    assert metrics("ttdirect:num_requests_running", model_name=name) == 0


def test_a_server_that_loads_has_metrics():
    gate = Gate(shut=True)
    engine = make_engine(load_gate=gate)
    engine.start()
    try:
        gate.wait_until_held()
        metrics = metrics_of(engine)
        assert metrics("ttdirect:state", state="loading") == 1
        assert metrics("ttdirect:state", state="ready") == 0
        assert "ttdirect:num_requests_running" not in metrics.names()
    finally:
        stop_engine(engine)


def test_what_was_counted_outlives_the_model():
    with running_engine(answers={"hello": "Hi!"}) as engine:
        client = app_of(engine).test_client()
        text_of(engine.ask("hello"))
        metrics_of(client)
    assert engine.model is None
    metrics = metrics_of(client)
    assert metrics("ttdirect:state", state="stopped") == 1
    assert metrics("ttdirect:generation_tokens_total", model_name="fake-1b") == ANSWER_TOKENS


def test_scraping_does_not_wait_for_a_step_nor_for_the_engines_lock():
    gate = Gate(shut=True)
    with running_engine(gate=gate) as engine:
        engine.ask("hello")
        gate.wait_until_held()
        with engine._loop._work:
            assert metrics_of(engine)("ttdirect:num_requests_running") == 1


def test_the_process_is_described():
    with running_engine() as engine:
        metrics = metrics_of(engine)
    assert metrics("process_resident_memory_bytes") > 1e6
    assert metrics("process_open_fds") > 2
    assert metrics("process_threads") >= 1
    assert metrics("ttdirect:build_info") == 1


def test_what_prometheus_asks_for_first_gets_the_same_names():
    """In OpenMetrics, prometheus_client writes "_" for the colon, and dashboards find nothing."""
    with running_engine() as engine:
        text_of(engine.ask("hello"))
        accept = {"Accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"}
        response = app_of(engine).test_client().get("/metrics", headers=accept)
    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    samples = {
        sample.name
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert {"ttdirect:generation_tokens_total", "ttdirect:cache_config_info"} <= samples
    assert not any(name.startswith("ttdirect_") for name in samples)


class TestRoutes:
    def test_requests_are_counted_by_route_and_status(self):
        with running_engine(answers={"hello": "Hi!"}) as engine:
            client = app_of(engine).test_client()
            for prompt in ("hello", "hello", ""):
                client.post("/chat/stream", json={"prompt": prompt}).close()
            metrics = metrics_of(client)
        name = "ttdirect:http_requests_total"
        assert metrics(name, route="/chat/stream", status="200") == 2
        assert metrics(name, route="/chat/stream", status="400") == 1
        seconds = "ttdirect:http_request_duration_seconds"
        assert metrics(f"{seconds}_count", route="/chat/stream") == 3

    def test_the_time_of_a_stream_ends_with_the_stream(self):
        with running_engine(answers={"hello": "Hi!"}) as engine:
            client = app_of(engine).test_client()
            stream = client.post("/chat/stream", json={"prompt": "hello"}, buffered=False)
            name = "ttdirect:http_request_duration_seconds_count"
            before = metrics_of(client)
            assert before("ttdirect:http_requests_total", route="/chat/stream") == 1
            assert not [s for s in before.samples if s.labels.get("route") == "/chat/stream"
                        and s.name == name]  # fmt: skip
            stream.get_data()
            stream.close()
            assert metrics_of(client)(name, route="/chat/stream") == 1

    def test_a_client_cannot_make_up_labels(self):
        with running_engine() as engine:
            client = app_of(engine).test_client()
            client.get("/made-up/path")
            client.open("/health", method="MADEUP")
            metrics = metrics_of(client)
        assert metrics("ttdirect:http_requests_total", route="none", status="404") == 1
        assert metrics("ttdirect:http_requests_total", route="none", status="405") == 1
        assert "made" not in metrics.text.lower()

    def test_those_without_a_key_are_counted_too(self, monkeypatch):
        monkeypatch.setenv("TTDIRECT_API_KEY", "secret")
        with running_engine() as engine:
            client = app_of(engine).test_client()
            assert client.get("/metrics").status_code == 401
            client.environ_base["HTTP_AUTHORIZATION"] = "Bearer secret"
            metrics = metrics_of(client)
        assert metrics("ttdirect:http_requests_total", route="/metrics", status="401") == 1
