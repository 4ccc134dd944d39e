"""Train the demo model from scratch: `python -m ttdirect.demo_model.train`.

The corpus gives the questions and answers, `phrasing` makes every question different, and a small
Llama learns to choose and recite the right answer. Everything is seeded. The checkpoint is an
ordinary Hugging Face folder with weights in bfloat16; the evaluation at the end reads it back, so
it judges the rounded weights that ship.
"""

import argparse
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import torch as safetensors
from torch import Tensor, distributed, multiprocessing
from transformers import LlamaConfig, LlamaForCausalLM

from ttdirect.demo_model import CHECKPOINT
from ttdirect.demo_model.corpus import load, load_held_back, normalise
from ttdirect.demo_model.dataset import NO_TOPIC, Example, Examples
from ttdirect.demo_model.evaluate import evaluate, report
from ttdirect.demo_model.tokenizer import (
    BOS_ID,
    CONTEXT,
    END_ID,
    PAD_ID,
    save_tokenizer,
    train_tokenizer,
)

SEED = 20
WARM_UP = 0.04
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Stage:
    """A part of training: how many examples, in what batches, at which peak learning rates."""

    name: str
    examples: int
    batch_tokens: int
    embedding_rate: float
    lower_rate: float
    upper_rate: float
    answers: bool


# First the lower half learns to understand questions, which is cheap: short texts, half the
# layers, no vocabulary. Then the upper half learns to recite the answers, while the lower half
# changes only slowly. Embeddings of rare words are seldom updated and need larger steps.
STAGES = (
    Stage("understand", 80_000, 400, 1e-2, lower_rate=6e-4, upper_rate=6e-4, answers=False),
    Stage("recite", 44_000, 400, 1e-3, lower_rate=2e-4, upper_rate=1.2e-3, answers=True),
)

ARCHITECTURE: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "hidden_act": "silu",
    "max_position_embeddings": CONTEXT,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "mlp_bias": False,
    "initializer_range": 0.02,
    "tie_word_embeddings": True,
    "bos_token_id": BOS_ID,
    "eos_token_id": END_ID,
    "pad_token_id": PAD_ID,
    "use_cache": True,
    "torch_dtype": "bfloat16",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the checkpoint, evaluate it."""
    parser = argparse.ArgumentParser(description="Train the demo model from its corpus.")
    parser.add_argument("--output", type=Path, default=CHECKPOINT, help="folder to write")
    parser.add_argument("--scale", type=float, default=1, help="share of the usual examples")
    parser.add_argument("--processes", type=int, default=2, help="cores to use")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        # Processes of one thread each: threads that share products this small mostly wait.
        cast("Any", multiprocessing).spawn(
            _work,
            args=(options.processes, f"file://{folder}/meeting", options.output, options.scale),
            nprocs=options.processes,
        )
    print(f"trained in {(time.perf_counter() - began) / 60:.1f} minutes")
    print(report(evaluate(options.output)))


def _work(rank: int, world: int, meeting: str, output: Path, scale: float) -> None:
    """One of the processes that train together."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    processes = cast("Any", distributed)
    processes.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    try:
        train(output, scale=scale)
    finally:
        processes.destroy_process_group()


def train(folder: Path, *, scale: float) -> None:
    """Train tokenizer and model, and write them to the folder.

    Runs in every process of the group; all see the same examples, take their share of the batches,
    and make the same steps. The first one writes.
    """
    random.seed(SEED)
    cast("Any", torch).manual_seed(SEED)
    first = distributed.get_rank() == 0

    # 1) The tokenizer, which decides the size of the vocabulary.
    corpus = load()
    tokenizer = train_tokenizer(corpus, seed=SEED)
    reserved = frozenset(normalise(item.question) for item in load_held_back())
    stream = Examples(corpus, tokenizer, seed=SEED, reserved=reserved)

    # 2) The model.
    architecture = {**ARCHITECTURE, "vocab_size": tokenizer.get_vocab_size()}
    configuration: Any = cast("Any", LlamaConfig)(**{**architecture, "torch_dtype": "float32"})
    model = LlamaForCausalLM(configuration)
    model.train()
    total = sum(p.numel() for p in model.parameters())
    if first:
        vocabulary = tokenizer.get_vocab_size()
        print(f"{len(corpus.topics)} topics, {vocabulary} tokens, {total:,} parameters")

    # 3) Training.
    _fit(model, stream, len(corpus.topics), scale)

    # 4) The checkpoint.
    if not first:
        return
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, folder)
    _write_json(folder / "config.json", architecture)
    stop = {"bos_token_id": BOS_ID, "eos_token_id": END_ID, "pad_token_id": PAD_ID}
    _write_json(folder / "generation_config.json", {**stop, "do_sample": False})
    weights = {
        name: tensor.to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    path = folder / "model.safetensors"
    cast("Any", safetensors).save_file(weights, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes it for the owner alone; a wheel keeps the mode


def _fit(model: LlamaForCausalLM, stream: Examples, topics: int, scale: float) -> None:
    """All stages, with AdamW.

    A second, small head reads the topic off the middle of the network, where the answer begins.
    It tells the lower half directly whether it has understood, and is thrown away afterwards.
    Without it, training takes many times as long.
    """
    guide = torch.nn.Linear(ARCHITECTURE["hidden_size"], topics)
    for stage in STAGES:
        _run(stage, int(stage.examples * scale), model, guide, stream)


def _run(
    stage: Stage, examples: int, model: LlamaForCausalLM, guide: torch.nn.Linear, stream: Examples
) -> None:
    middle: int = ARCHITECTURE["num_hidden_layers"] // 2
    model.config.num_hidden_layers = middle * (2 if stage.answers else 1)
    embedding = model.lm_head.weight
    lower = [*model.model.layers[:middle].parameters(), *guide.parameters()]
    upper: list[Tensor] = []
    if stage.answers:
        upper = [*model.model.layers[middle:].parameters(), model.model.norm.weight]
        # The embeddings have grown, and they are the head, too: begin with logits of size one.
        with torch.no_grad():
            size: float = cast("Any", embedding).norm(dim=1).mean().item()
            model.model.norm.weight.fill_(1 / size)
    groups = [
        {"params": [embedding], "peak": stage.embedding_rate},
        {"params": lower, "peak": stage.lower_rate},
    ]
    if upper:
        groups.append({"params": upper, "peak": stage.upper_rate})
    parameters = [embedding, *lower, *upper]
    optimizer: Any = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    rank, world = distributed.get_rank(), distributed.get_world_size()
    seen, tokens, running = 0, 0, [math.nan, math.nan]
    began = time.perf_counter()
    batches = stream.batches(examples, tokens=stage.batch_tokens, answers=stage.answers)
    for step, shares in enumerate(_in_groups(batches, world)):
        batch = shares[rank]
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(seen / examples)
        losses = _losses(model, guide, batch)
        cast("Any", losses[0] + 2 * losses[1]).backward()
        _average_gradients(parameters, world)
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += sum(len(share) for share in shares)
        tokens += sum(len(example.ids) for share in shares for example in share)
        for index, loss in enumerate(losses):
            before = running[index] if step else loss.item()
            running[index] = 0.97 * before + 0.03 * loss.item()
        if step % 100 == 0 and rank == 0:
            elapsed = time.perf_counter() - began
            print(
                f"{stage.name} {seen / examples:4.0%}  text {running[0]:6.3f}  "
                f"topic {running[1]:6.3f}  {tokens / elapsed:6.0f} tokens/s  {elapsed:5.0f} s",
                flush=True,
            )


def _in_groups(batches: Iterator[list[Example]], size: int) -> Iterator[tuple[list[Example], ...]]:
    """One batch for each process at a time; what is left over at the end is dropped."""
    return zip(*[batches] * size, strict=False)


def _average_gradients(parameters: Sequence[Tensor], world: int) -> None:
    """Make every process take the same step: the mean of what each one's batch asks for."""
    for parameter in parameters:
        if parameter.grad is None:  # no example of this batch touched it
            parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    cast("Any", distributed).all_reduce(flat)
    flat /= world
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def _schedule(progress: float) -> float:
    """A linear warm-up, then half a cosine down to a hundredth."""
    if progress < WARM_UP:
        return (progress + 1e-3) / WARM_UP
    rest = (progress - WARM_UP) / (1 - WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * rest))


def _losses(
    model: LlamaForCausalLM, guide: torch.nn.Linear, batch: list[Example]
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the answers' tokens, and of the topics where the answers begin."""
    length = max(len(example.ids) for example in batch)
    inputs = torch.full((len(batch), length), PAD_ID)
    targets = torch.full((len(batch), length), -1)
    for row, example in enumerate(batch):
        ids = torch.tensor(example.ids)
        inputs[row, : len(ids)] = ids
        targets[row, example.start - 1 : len(ids) - 1] = ids[example.start :]
    # Padding follows the text, so causal attention needs no mask.
    output: Any = model.model(input_ids=inputs, use_cache=False, output_hidden_states=True)
    chosen = targets >= 0
    text = torch.zeros(())
    if chosen.any():
        logits = output.last_hidden_state[chosen] @ model.lm_head.weight.T
        text = torch.nn.functional.cross_entropy(logits, targets[chosen])
        half: int = ARCHITECTURE["num_hidden_layers"] // 2
        middle = torch.nn.functional.rms_norm(output.hidden_states[half], guide.weight.shape[1:])
    else:
        middle = output.last_hidden_state
    asked = [(row, e.start - 1, e.topic) for row, e in enumerate(batch) if e.topic != NO_TOPIC]
    if not asked:
        return text, torch.zeros(())
    rows, places, topics = torch.tensor(asked).T
    return text, torch.nn.functional.cross_entropy(guide(middle[rows, places]), topics)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
