"""`X-Request-Id`: the client's own or a new one, with every answer."""

import re
from contextvars import Context

import pytest

from ttdirect.server.request_id import asking


def id_of(response):
    return response.headers["X-Request-Id"]


def test_every_answer_has_an_id_of_its_own(lesson):
    answers = [lesson.chat(), lesson.stream(), lesson.health(), lesson.chat(temperature=9)]
    answers.append(lesson.client.get("/nothing"))
    ids = [id_of(answer) for answer in answers]
    assert all(re.fullmatch(r"req-[0-9a-f]{16}", each) for each in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("sent", ["a", "trace-1/2:3@host", "x" * 128])
def test_a_clients_own_id_is_kept_and_logged(lesson, caplog, sent):
    caplog.set_level("INFO", "ttdirect.requests")
    response = lesson.client.post("/chat", json={"prompt": "hi"}, headers={"X-Request-Id": sent})
    assert id_of(response) == sent
    lines = [record.getMessage() for record in caplog.records]
    number = next(line for line in lines if '"hi"' in line).partition(" ")[0]
    asks, gets = (line for line in lines if line.startswith(f"{number} "))
    assert asks.endswith(f"  [{sent}]")
    assert gets.endswith(f"  [{sent}]")


def test_a_thread_forgets_the_request_when_all_is_sent(lesson):
    def ask_and_look():
        lesson.client.post("/chat", json={"prompt": "hi"}, headers={"X-Request-Id": "a"}).close()
        return asking()

    assert Context().run(ask_and_look) is None


@pytest.mark.parametrize("sent", ["", "two words", "x" * 129, "\x1b[2J", "100%s", "gr\u00fc\u00df"])
def test_an_id_that_could_do_harm_is_replaced(lesson, caplog, sent):
    caplog.set_level("INFO", "ttdirect.requests")
    response = lesson.client.post("/chat", json={"prompt": "hi"}, headers={"X-Request-Id": sent})
    assert id_of(response).startswith("req-")
    assert all("[" not in record.getMessage() for record in caplog.records)
