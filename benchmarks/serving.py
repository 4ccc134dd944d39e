"""Tokens/s at the HTTP client for 1, 8 and 32 users, beside transformers' own loop.

    .venv/bin/python benchmarks/serving.py --models demo m135 --rounds 5

Each model is served by the user's own script in a process of its own; clients stream. The peer
is `transformers`' eager `generate` with a batch of as many prompts, in this process, with no
server around it. The two take turns, so that a machine that changes its speed changes it for
both. Figures are medians; compare the ratios, not one run's absolute numbers.
"""

import argparse
import http.client
import itertools
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from random_models import random_checkpoint
from servers import served
from transformers import AutoModelForCausalLM

from ttdirect.demo_model import CHECKPOINT
from ttdirect.generator.precision import float_precision
from ttdirect.generator.tokenizer import load_tokenizer

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
NEW_TOKENS = 48
PROMPTS = {"demo": "Write a creative story", "m135": "tell me a story " * 28}
"""One that the shipped model answers at length, and one of about 118 tokens."""

_numbers = itertools.count(100)


def ask(url: str, prompt: str) -> dict:
    """Stream one answer; the figures of its last event.

    The client shares the cores with the server, so it reads bytes and parses them at the end.
    """
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=600)
    body = json.dumps({"prompt": prompt, "max_tokens": NEW_TOKENS})
    connection.request("POST", "/chat/stream", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    received = b""
    while piece := answer.read1(65536):
        received += piece
    connection.close()
    if answer.status != 200:
        raise SystemExit(received.decode())
    events = [line[6:] for line in received.splitlines() if line.startswith(b"data: ")]
    return json.loads(events[-1])


def unlike(prompt: str) -> str:
    """The prompt with another beginning each time, so that no cache of prompts helps."""
    return prompt if prompt == PROMPTS["demo"] else f"{next(_numbers)} {prompt}"


def ours(url: str, prompt: str, users: int) -> tuple[float, float]:
    """Tokens/s in sum and the median TTFT of `users` clients at once.

    TTFT is the server's own figure: a random model's tokens have no text that a client could see.
    """
    begun = time.perf_counter()
    with ThreadPoolExecutor(users) as pool:
        answers = list(pool.map(lambda _: ask(url, unlike(prompt)), range(users)))
    seconds = time.perf_counter() - begun
    tokens = sum(answer["tokens_generated"] for answer in answers)
    return tokens / seconds, statistics.median(answer["ttft_seconds"] for answer in answers)


def peer(model: torch.nn.Module, prompt_ids: list[int], users: int, new_tokens: int) -> float:
    """Tokens/s in sum of transformers' eager loop with a batch of `users` equal prompts."""
    prompt = torch.tensor([prompt_ids] * users)
    begun = time.perf_counter()
    model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        min_new_tokens=new_tokens,
        max_new_tokens=new_tokens,
        do_sample=False,
    )
    return users * new_tokens / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["demo", "m135"])
    parser.add_argument("--users", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = []
    for name in options.models:
        folder = CHECKPOINT if name == "demo" else random_checkpoint(name, CACHE)
        # The server computes in int8; the peer in bfloat16, or what stands for it on this CPU.
        precision = float_precision()
        reference = AutoModelForCausalLM.from_pretrained(folder, dtype=precision.compute)
        prompt = PROMPTS[name]
        tokenizer = load_tokenizer(folder, json.loads((folder / "config.json").read_text()))
        ids = tokenizer.apply_chat_template([{"role": "user", "content": prompt}])
        with served("demo" if name == "demo" else str(folder)) as url:
            for users in options.users:
                tokens = ask(url, prompt)["tokens_generated"]
                ours(url, prompt, users)
                peer(reference, ids, users, tokens)
                pairs = [
                    (*ours(url, prompt, users), peer(reference, ids, users, tokens))
                    for _ in range(options.rounds)
                ]
                speed, ttft, other = (
                    statistics.median(column) for column in zip(*pairs, strict=True)
                )
                rows.append((name, len(ids), users, speed, ttft * 1000, other, speed / other))
                print(f"{name} {users} users done", file=sys.stderr)
    print(f"{os.cpu_count()} cores, PyTorch {torch.__version__}, {precision.name}\n")
    print(
        "| model | prompt | users | ttdirect tokens/s | TTFT ms | transformers tokens/s | ratio |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, length, users, speed, ttft, other, ratio in rows:
        figures = f"{speed:.0f} | {ttft:.0f} | {other:.0f} | {ratio:.2f}"
        print(f"| {name} | {length} | {users} | {figures} |")


if __name__ == "__main__":
    main()
