"""How the demo model learns: two stages, each with the parts of the network that it needs.

First the lower half learns to understand questions. That is cheap, because questions are short,
half of the layers are enough, and no word has to be predicted: a small head, the guide, reads the
topic off the middle of the network where the answer begins, and is thrown away afterwards. Then
the lower half stays as it is, and the upper half learns to recite the answers. Learning both at
once takes many times as long.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, distributed
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from ttdirect.demo_model.dataset import Example, Examples
from ttdirect.demo_model.muon import Muon
from ttdirect.demo_model.tokenizer import PAD_ID

_WARM_UP = 0.04
_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Stage:
    """A part of training: how many examples, in what batches, at which peak learning rates."""

    name: str
    examples: int
    batch_tokens: int
    table_rate: float
    matrix_rate: float


# A table holds a row for each token; rare ones are seldom updated and need larger steps.
UNDERSTAND = Stage("understand", 100_000, 800, table_rate=1e-2, matrix_rate=1.5e-3)
RECITE = Stage("recite", 52_000, 800, table_rate=3e-3, matrix_rate=3e-3)
_OTHER_RATE = 1e-3


def understand(model: LlamaForCausalLM, stream: Examples, topics: int, scale: float) -> None:
    """Teach the lower half which of the topics a question means."""
    layers: int = model.config.num_hidden_layers
    lower = model.model.layers[: layers // 2]
    guide = torch.nn.Linear(model.config.hidden_size, topics)

    def loss(batch: list[Example]) -> Tensor:
        hidden = _read(model, batch)
        asked = torch.stack([hidden[row, len(e.ids) - 1] for row, e in enumerate(batch)])
        return cross_entropy(guide(asked), torch.tensor([example.topic for example in batch]))

    count = int(UNDERSTAND.examples * scale)
    batches = stream.batches(count, tokens=UNDERSTAND.batch_tokens, answers=False)
    model.config.num_hidden_layers = len(lower)
    optimizer = _Optimizer(UNDERSTAND, model.model.embed_tokens.weight, lower, guide)
    _run(UNDERSTAND, count, batches, loss, optimizer)
    model.config.num_hidden_layers = layers
    model.model.embed_tokens.requires_grad_(False)
    lower.requires_grad_(False)


def recite(model: LlamaForCausalLM, stream: Examples, scale: float) -> None:
    """Teach the upper half to say the answer, from what the lower half has understood."""
    upper = model.model.layers[model.config.num_hidden_layers // 2 :]

    def loss(batch: list[Example]) -> Tensor:
        hidden = _read(model, batch)
        said = torch.cat([hidden[r, e.start - 1 : len(e.ids) - 1] for r, e in enumerate(batch)])
        targets = torch.cat([torch.tensor(example.ids[example.start :]) for example in batch])
        return cross_entropy(model.lm_head(said), targets)

    count = int(RECITE.examples * scale)
    batches = stream.batches(count, tokens=RECITE.batch_tokens, answers=True)
    optimizer = _Optimizer(RECITE, model.lm_head.weight, upper, model.model.norm)
    _run(RECITE, count, batches, loss, optimizer)


def _read(model: LlamaForCausalLM, batch: list[Example]) -> Tensor:
    """The network's last states. Padding follows the texts, so they need no mask."""
    texts = [torch.tensor(example.ids) for example in batch]
    inputs = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=PAD_ID)
    output: Any = model.model(input_ids=inputs, use_cache=False)
    return output.last_hidden_state


class _Optimizer:
    """Muon for the matrices of some layers; AdamW for a table, for vectors and for what is left."""

    def __init__(
        self, stage: Stage, table: Tensor, layers: torch.nn.Module, rest: torch.nn.Module
    ) -> None:
        matrices = [parameter for parameter in layers.parameters() if parameter.ndim == 2]
        vectors = [parameter for parameter in layers.parameters() if parameter.ndim == 1]
        others = [*vectors, *rest.parameters()]
        groups = [
            {"params": [table], "peak": stage.table_rate},
            {"params": others, "peak": _OTHER_RATE},
        ]
        self._adam: Any = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
        self._muon = Muon(matrices)
        self._matrix_rate = stage.matrix_rate
        self.parameters = [table, *others, *matrices]

    def step(self, height: float) -> None:
        """One step at a share of the peak rates; the gradients are used up."""
        for group in self._adam.param_groups:
            group["lr"] = group["peak"] * height
        self._adam.step()
        self._muon.step(self._matrix_rate * height)
        for parameter in self.parameters:
            parameter.grad = None


def _run(
    stage: Stage,
    count: int,
    batches: Iterator[list[Example]],
    loss_of: Callable[[list[Example]], Tensor],
    optimizer: _Optimizer,
) -> None:
    """One stage, in every process of the group.

    All see the same examples, take their share of the batches, and make the same steps.
    """
    rank, world = distributed.get_rank(), distributed.get_world_size()
    seen, tokens, running = 0, 0, math.nan
    began = time.perf_counter()
    for step, shares in enumerate(_in_groups(batches, world)):
        loss = loss_of(shares[rank])
        cast("Any", loss).backward()
        _average_gradients(optimizer.parameters, world)
        torch.nn.utils.clip_grad_norm_(optimizer.parameters, _GRADIENT_NORM)
        optimizer.step(_schedule(seen / count))
        seen += sum(len(share) for share in shares)
        tokens += sum(len(example.ids) for share in shares for example in share)
        running = 0.97 * (running if step else loss.item()) + 0.03 * loss.item()
        if step % 100 == 0 and rank == 0:
            elapsed = time.perf_counter() - began
            print(
                f"{stage.name} {seen / count:4.0%}  loss {running:6.3f}  "
                f"{tokens / elapsed:6.0f} tokens/s  {elapsed:5.0f} s",
                flush=True,
            )


def _in_groups(batches: Iterator[list[Example]], size: int) -> Iterator[tuple[list[Example], ...]]:
    """One batch for each process at a time; what is left over at the end is dropped."""
    return zip(*[batches] * size, strict=False)


def _average_gradients(parameters: Sequence[Tensor], world: int) -> None:
    """Make every process take the same step: the mean of what each one's batch asks for."""
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
    if progress < _WARM_UP:
        return (progress + 1e-3) / _WARM_UP
    rest = (progress - _WARM_UP) / (1 - _WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * rest))
