"""What drafts are worth when an answer repeats its prompt, and what they cost when it does not.

    .venv/bin/python benchmarks/repeating.py --models demo m135 --rounds 5

The user's script runs twice, with drafts and with that one line of it changed, and one client asks
both in turns. The shipped model is asked for a story whose prompt quotes one: its own text, some of
it from the quotation. The random models recite: each token tells the next one, so an answer is word
for word what the prompt says, or words that it does not say at all. These are the best case and the
worst; real summaries and edits lie between them.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import torch
from client import ask
from random_models import SHAPES, tokens_with_text, write_checkpoint
from servers import served
from transformers import AutoModelForCausalLM, LlamaConfig

from ttdirect.demo_model import CHECKPOINT
from ttdirect.engine.text import TextCodec
from ttdirect.generator.tokenizer import load_tokenizer

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "benchmarks"
FIELDS = {"ignore_eos": True, "stream_options": {"include_usage": True}}
DRAFTS, NO_DRAFTS = "verifies_drafts=generator.verifies_drafts", "verifies_drafts=False"
NEW_TOKENS = 96
QUESTION = "Write a creative story"


@dataclass(frozen=True)
class Case:
    """A prompt, and what is to be expected of its answer."""

    name: str
    prompt_ids: list[int]


def chain() -> list[int]:
    """The order in which a reciting model says its tokens."""
    tokens = tokens_with_text()
    random.Random(0).shuffle(tokens)
    return tokens


def reciting_checkpoint(name: str, folder: Path) -> Path:
    """Write a checkpoint once whose next token follows from the last one alone; and keep it.

    Its layers add nothing to what they read, but a server does not know that: it computes them all.
    """
    target = folder / f"{name}-reciting"
    if (target / "config.json").exists():
        return target
    torch.manual_seed(0)
    config = LlamaConfig(**SHAPES[name], max_position_embeddings=8192, tie_word_embeddings=False)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    tokens = chain()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        model.lm_head.weight[tokens[1:]] = model.model.embed_tokens.weight[tokens[:-1]]
    write_checkpoint(model, target)
    return target


def recitals() -> list[Case]:
    """One prompt that says the whole answer, and one that says nothing of it."""
    tokens = chain()
    passage, elsewhere = tokens[: NEW_TOKENS + 32], tokens[1000 : 1000 + NEW_TOKENS + 32]
    return [
        Case("word for word", [*passage, passage[0]]),
        Case("nothing of it", [*elsewhere, passage[0]]),
    ]


def stories(url: str) -> list[Case]:
    """Prompts that quote the model's own story, and one that does not."""
    config = json.loads((CHECKPOINT / "config.json").read_text())
    codec = TextCodec(load_tokenizer(CHECKPOINT, config))

    def case(name: str, prompt: str) -> Case:
        return Case(name, codec.encode_chat([{"role": "user", "content": prompt}]))

    plain = case("no quotation", QUESTION)
    story = text_of(url, plain, max_tokens=300, ignore_eos=False)
    return [
        case("quotation first", f"{story}\n\n{QUESTION}"),
        case("quotation last", f"{QUESTION}\n\n{story}"),
        plain,
    ]


def fetch(url: str, method: str, path: str, body: str | None = None) -> str:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def text_of(url: str, case: Case, **fields: object) -> str:
    """The greedy answer, of the length that is measured unless the fields say otherwise."""
    body = {"prompt": case.prompt_ids, "max_tokens": NEW_TOKENS, "temperature": 0.0}
    body |= {"ignore_eos": True} | fields
    answer = fetch(url, "POST", "/v1/completions", json.dumps(body))
    return json.loads(answer)["choices"][0]["text"]


def decode_steps(url: str) -> int:
    """The decode steps of this server so far: the first step of each answer reads its prompt."""
    values = {
        line.split("{")[0]: float(line.split()[-1])
        for line in fetch(url, "GET", "/metrics").splitlines()
        if line.startswith("ttdirect:")
    }
    steps = values["ttdirect:iteration_tokens_total_count"]
    return int(steps - values["ttdirect:time_to_first_token_seconds_count"])


@contextlib.contextmanager
def both(model: str) -> Iterator[tuple[str, str]]:
    """The addresses of a server with drafts and one without."""

    def without(script: str) -> str:
        if DRAFTS not in script:
            raise SystemExit(f"the script has no line {DRAFTS}")
        return script.replace(DRAFTS, NO_DRAFTS)

    with served(model) as drafting, served(model, without) as plain:
        yield drafting, plain


def compare(drafting: str, plain: str, case: Case, rounds: int) -> str:
    """A row of the table: medians, and that of the ratios of speeds measured in turns."""
    if text_of(drafting, case) != text_of(plain, case):
        raise SystemExit(f"{case.name}: drafts have changed the answer")
    # The prompt is cached by now, so that a single step reads what is left of it.
    before = decode_steps(drafting)
    text_of(drafting, case)
    tokens_a_step = (NEW_TOKENS - 1) / (decode_steps(drafting) - before)
    speeds: dict[str, list[float]] = {plain: [], drafting: []}
    for number in range(rounds):
        for url in (plain, drafting) if number % 2 else (drafting, plain):
            answer = ask(url, case.prompt_ids, NEW_TOKENS, FIELDS)
            speeds[url].append(answer.decode_speed)
    without, drafted = map(statistics.median, speeds.values())
    pairs = zip(*speeds.values(), strict=True)
    ratio = statistics.median(after / before for before, after in pairs)
    return f"{tokens_a_step:.1f} | {without:.0f} | {drafted:.0f} | {ratio:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["demo", "m135"], choices=["demo", *SHAPES])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, {NEW_TOKENS} new tokens, 1 user, greedy; tokens/s of decode\n")
    print("| model | the prompt, seen from the answer | tokens a step | without | with | ratio |")
    print("|---|---|---|---|---|---|")
    for name in options.models:
        folder = "demo" if name == "demo" else str(reciting_checkpoint(name, CACHE))
        with both(folder) as (drafting, plain):
            for case in stories(plain) if name == "demo" else recitals():
                figures = compare(drafting, plain, case, options.rounds)
                print(f"| {name} | {case.name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
