"""A server that plays the HTTP contract of the chat from a list of answers."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEALTHY = {
    "status": "healthy",
    "model": "fake-1b",
    "model_loaded": True,
    "note": "Model is loaded in memory for fast inference",
    "phase": "ready",
    "progress": 1.0,
    "device": "CPU",
}
FIGURES = {
    "prompt": "hi",
    "response": "Hello",
    "tokens_generated": 3,
    "time_seconds": 0.5,
    "tokens_per_second": 6.0,
    "ttft_seconds": 0.125,
    "queue_seconds": 0.0,
    "finish_reason": "stop",
}

HEAD = "fake-1b answers on {}\n"
"""What the chat says on stderr before its first answer."""


def loading(phase, progress):
    """Return what `/health` says while the model loads."""
    return 503, {
        **HEALTHY,
        "status": "loading",
        "model": None,
        "model_loaded": False,
        "phase": phase,
        "progress": progress,
    }


def event(**data):
    """Return one server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def pieces(*texts, **figures):
    """Return the events of one complete answer."""
    return [*(event(text=text) for text in texts), event(**{**FIGURES, **figures})]


def chunk(content=None, **choice):
    """Return one event of OpenAI's chat stream."""
    delta = {} if content is None else {"content": content}
    return event(id="c1", choices=[{"index": 0, "delta": delta, "finish_reason": None, **choice}])


def completion(*texts, finish_reason="stop", **usage):
    """Return the events of one complete answer as OpenAI sends them."""
    counts = [event(id="c1", choices=[], usage=usage)] if usage else []
    return [
        chunk("", delta={"role": "assistant", "content": ""}),
        *(chunk(text) for text in texts),
        chunk(finish_reason=finish_reason),
        *counts,
        b"data: [DONE]\n\n",
    ]


@dataclass
class Answer:
    """One answer to a POST: its chunks are sent one by one."""

    chunks: list[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream"
    chunked: bool = True
    cut: bool = False
    hold: threading.Event | None = None
    """Waited for before the last chunk is sent."""
    before: Callable[[int], None] = lambda number: None
    """Called before the chunk with this number is sent."""


def refusal(status, sentence, **headers):
    """Return an error as the contract wants it."""
    return Answer(
        [json.dumps({"error": sentence}).encode()],
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        content_type="application/json",
    )


def said(server, number=-1):
    """Return the conversation of one request, as pairs of role and text."""
    return [(m["role"], m["content"]) for m in server.requests[number][0]["messages"]]


class FakeServer(ThreadingHTTPServer):
    """Answers each request with the next of `healths` or `answers`; the last one stays.

    With `models` it has OpenAI's routes, and with these alone if `healths` is empty.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.healths = [(200, HEALTHY)]
        self.answers = [Answer(pieces("Hel", "lo"))]
        self._turn = threading.Lock()
        self.models = None
        self.model_reports = []
        self.requests = []
        self.paths = []

    def next(self, answers):
        with self._turn:
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/v1/models":
            status, report = self._models()
        elif self.server.healths:
            status, report = self.server.next(self.server.healths)
        else:
            status, report = 404, b"no such page"
        body = report if isinstance(report, bytes) else json.dumps(report).encode()
        self._send_head(status, "application/json", {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _models(self):
        if self.server.model_reports:
            return self.server.model_reports.pop(0)
        if self.server.models is None:
            # A stranger answers everything alike.
            status, report = (self.server.healths or [(404, {})])[0]
            ours = isinstance(report, dict) and "model_loaded" in report
            return (404, {"error": "There is no such route."}) if ours else (status, report)
        return 200, {"object": "list", "data": [{"id": name} for name in self.server.models]}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.append(self.path)
        self.server.requests.append((json.loads(body), dict(self.headers)))
        answer = self.server.next(self.server.answers)
        ending = {"Transfer-Encoding": "chunked"} if answer.chunked else {"Connection": "close"}
        self._send_head(answer.status, answer.content_type, {**answer.headers, **ending})
        for number, chunk in enumerate(answer.chunks):
            if answer.hold and number == len(answer.chunks) - 1:
                answer.hold.wait(10)
            answer.before(number)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if answer.chunked else chunk)
            self.wfile.flush()
        if answer.cut:
            self.close_connection = True
        elif answer.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, status, content_type, headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments):
        """Keep the tests' output readable."""
