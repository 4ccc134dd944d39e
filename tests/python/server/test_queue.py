"""Many at once: each gets the right answer or an honest refusal, and `/health` stays quick."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from waiting import wait_until


def test_who_finds_the_queue_full_is_told_to_come_back(start_lesson):
    lesson = start_lesson(MAX_BATCH_SIZE="4", MAX_QUEUED="3")
    lesson.gate.shut()
    prompts = [f"number {n}" for n in range(7)]
    wait = lesson.in_background(*[lambda p=p: lesson.chat(p) for p in prompts])
    wait_until(lambda: sum(map(lesson.health().json.get, ("running", "queued"))) == 7)
    for refused in (lesson.chat("one more"), lesson.stream("another")):
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "2"
        assert refused.json == {
            "error": "The server is busy: 3 requests are already waiting. Try again in 2 s."
        }
    lesson.gate.open()
    answers = [response.json["response"] for response in wait()]
    assert answers == [f"You said: {prompt}" for prompt in prompts]
    assert lesson.chat("now").status_code == 200


def test_a_queue_of_zero_still_fills_the_batch(start_lesson):
    lesson = start_lesson(MAX_BATCH_SIZE="2", MAX_QUEUED="0")
    lesson.gate.shut()
    wait = lesson.in_background(*[lesson.chat] * 2)
    wait_until(lambda: sum(map(lesson.health().json.get, ("running", "queued"))) == 2)
    assert lesson.chat().status_code == 503
    lesson.gate.open()
    assert [response.status_code for response in wait()] == [200, 200]


def at_once(count, call):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


@pytest.mark.slow
def test_64_at_once_get_the_answers_they_get_alone(server):
    fields = {"max_tokens": 12, "temperature": 1.2, "seed": 5}
    kinds = [f"hash {n}" for n in range(8)]
    alone = [server.chat(kind, **fields).json()["response"] for kind in kinds]
    assert len(set(alone)) > 4
    answers = at_once(64, lambda n: server.chat(kinds[n % 8], **fields))
    assert [answer.status_code for answer in answers] == [200] * 64
    assert [answer.json()["response"] for answer in answers] == alone * 8


@pytest.mark.slow
def test_with_everything_full_only_the_surplus_is_refused_and_health_stays_quick(server):
    with ThreadPoolExecutor(110) as pool, server.hold, requests.Session() as session:
        calls = [pool.submit(server.chat, f"number {n}", max_tokens=20) for n in range(110)]
        wait_until(lambda: sum(call.done() for call in calls) == 110 - 96, "the refusals")
        report = server.health()
        assert report["running"] + report["queued"] == 96

        seconds = []
        for number in range(20):
            begun = time.monotonic()
            get = session.get if number % 2 else requests.get  # kept connections, and new ones
            assert get(f"{server.url}/health", timeout=30).status_code == 200
            seconds.append(time.monotonic() - begun)
        assert statistics.median(seconds) < 0.1

        refused = server.chat("one more")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        server.hold.release()
        answers = [call.result() for call in calls]
    assert sorted(answer.status_code for answer in answers) == [200] * 96 + [503] * 14
    for number, answer in enumerate(answers):
        if answer.status_code == 200:
            assert answer.json()["response"] == f"You said: number {number}"
        else:
            assert answer.headers["Retry-After"] == "2"
            assert list(answer.json()) == ["error"]
