"""A client of OpenAI's `/v1/completions` that streams and notes when things arrive."""

import http.client
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from tokenizers import Tokenizer

from ttdirect.demo_model import CHECKPOINT

TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Answer:
    """One streamed answer; times are those of `time.perf_counter`."""

    prompt_tokens: int
    tokens: int
    asked: float
    first: float
    last: float

    @property
    def ttft(self) -> float:
        """Seconds from the request to the first text."""
        return self.first - self.asked

    @property
    def decode_speed(self) -> float:
        """Tokens/s after the first one."""
        return (self.tokens - 1) / (self.last - self.first)


@dataclass(frozen=True)
class Crowd:
    """What several clients saw that asked at the same time."""

    answers: list[Answer]

    @property
    def speed(self) -> float:
        """Tokens/s in sum, the time for the prompts included."""
        begun = min(answer.asked for answer in self.answers)
        ended = max(answer.last for answer in self.answers)
        return sum(answer.tokens for answer in self.answers) / (ended - begun)


class Prompts:
    """Prompts of an exact length that all differ from the first word, so that no cache helps.

    Each is a row of words that are one token each, drawn at random; so it has that length for
    every server that has the shipped tokenizer, and is unlike all others.
    """

    def __init__(self, seed: int) -> None:
        tokenizer = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
        texts = (tokenizer.decode([token]) for token in range(tokenizer.get_vocab_size()))
        self._words = [text for text in texts if text[:1] == " " and text[1:].isalpha()]
        self._words = [word for word in self._words if len(tokenizer.encode(word).ids) == 1]
        self._chance = random.Random(seed)

    def make(self, tokens: int) -> str:
        return "".join(self._chance.choices(self._words, k=tokens))


def ask(url: str, prompt: str, max_tokens: int, fields: dict) -> Answer:
    """Stream one answer.

    The client shares the cores with the server, so it only stores what arrives, and when, and
    reads it at the end.

    Args:
        url: the server's, such as http://127.0.0.1:8080.
        prompt: continued as it stands, without a chat template.
        max_tokens: the answer must have exactly so many.
        fields: what this server wants beside OpenAI's usual fields.

    Raises:
        SystemExit: the server answered something else.
    """
    body = {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0.0, "stream": True}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)
    asked = time.perf_counter()
    connection.request(
        "POST", "/v1/completions", json.dumps(body | fields), {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    pieces: list[tuple[float, bytes]] = []
    while piece := response.read1(65536):
        pieces.append((time.perf_counter(), piece))
    connection.close()
    received = b"".join(piece for _, piece in pieces)
    if response.status != 200:
        raise SystemExit(f"{url} answered {response.status}: {received.decode()}")
    events = _events(pieces)
    with_text = [when for when, event in events if _text(event)]
    usage = next(event["usage"] for _, event in reversed(events) if event.get("usage"))
    if usage["completion_tokens"] != max_tokens:
        raise SystemExit(f"{url} gave {usage['completion_tokens']} tokens, not {max_tokens}")
    if not with_text:
        raise SystemExit("the answer has no text: remove .cache/benchmarks, it is an old one")
    return Answer(
        usage["prompt_tokens"], usage["completion_tokens"], asked, with_text[0], with_text[-1]
    )


def _events(pieces: list[tuple[float, bytes]]) -> list[tuple[float, dict]]:
    """The JSON of each server-sent event, and when the last byte of it was there."""
    events, rest = [], b""
    for when, piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        events += [(when, json.loads(line[6:])) for line in lines if line.startswith(b"data: {")]
    return events


def _text(event: dict) -> str:
    choices = event.get("choices")
    return choices[0].get("text") or "" if choices else ""


def ask_together(url: str, prompts: list[str], max_tokens: int, fields: dict) -> Crowd:
    """Stream the answers to several prompts at once."""
    with ThreadPoolExecutor(len(prompts)) as pool:
        return Crowd(list(pool.map(lambda text: ask(url, text, max_tokens, fields), prompts)))
