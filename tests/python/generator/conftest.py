"""Random checkpoints, and a small server loop that drives a Generator the way an engine does."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from checkpoints import build_model, save_model
from generator.era_caller import ERAS, Caller
from ttdirect import generator as ttnn
from ttdirect.generator import Generator, PagedAttentionConfig, create_tt_model, threads

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN_ROPE = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 512,
}
LONG_ROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0 + 0.1 * i for i in range(8)],
    "long_factor": [2.0 + 0.5 * i for i in range(8)],
}

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama-tied": ("llama", {"tie_word_embeddings": True, "initializer_range": 0.1}),
    "llama-biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama-3-rope": ("llama", {"rope_parameters": LLAMA3_ROPE}),
    "llama-yarn": ("llama", {"rope_parameters": YARN_ROPE}),
    "llama-linear": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
    ),
    "llama-dynamic": (
        "llama",
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}},
    ),
    "llama-every-head-its-own-key": ("llama", {"num_key_value_heads": 4}),
    "llama-one-key-head": ("llama", {"num_key_value_heads": 1}),
    "mistral-sliding": ("mistral", {"sliding_window": 48}),
    "mistral-wide-heads": ("mistral", {"sliding_window": None, "head_dim": 24}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True, "initializer_range": 0.1}),
    "qwen2-sliding-layers": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 40, "max_window_layers": 1},
    ),
    "qwen3": ("qwen3", {"head_dim": 32}),
    "qwen3-biases-sliding": (
        "qwen3",
        {
            "attention_bias": True,
            "use_sliding_window": True,
            "sliding_window": 100,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
    "phi3": ("phi3", {"sliding_window": 64}),
    "phi3-partial-rotary": ("phi3", {"partial_rotary_factor": 0.5}),
    "phi3-longrope": (
        "phi3",
        {"rope_parameters": LONG_ROPE, "original_max_position_embeddings": 1024},
    ),
    "smollm3": ("smollm3", {"num_hidden_layers": 4, "tie_word_embeddings": False}),
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compute on one thread: on products this small, more threads only wait for each other.

    Tests that ask for two get two, although models as small as theirs would be given one.
    """
    monkeypatch.setattr(threads, "SMALL_MODEL_BYTES", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Checkpoint:
    """A random model twice: in `transformers`, and as a folder."""

    model: Any
    folder: Path

    def logits(self, tokens: list[int]) -> torch.Tensor:
        """Return the reference's logits at every position, `[len(tokens), vocab_size]`."""
        with torch.no_grad():
            return self.model(torch.tensor([tokens])).logits[0]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function from a name in `VARIANTS` to its checkpoint, built once."""
    root, built = tmp_path_factory.mktemp("checkpoints"), {}

    def build(name: str) -> Checkpoint:
        if name not in built:
            model_type, changes = VARIANTS[name]
            model = build_model(model_type, **changes)
            built[name] = Checkpoint(model, save_model(model, root / name))
        return built[name]

    return build


def load(folder: Path | str, **changes: Any) -> tuple[Any, Any, Any, Any]:
    """Call `create_tt_model` for a folder, with small defaults that `changes` may override."""
    arguments: dict[str, Any] = {
        "mesh_device": ttnn.open_mesh_device(),
        "instruct": True,
        "max_batch_size": 4,
        "optimizations": None,
        "max_seq_len": 1024,
        "paged_attention_config": PagedAttentionConfig(block_size=32, max_num_blocks=129),
        "dtype": ttnn.float32,
        **changes,
    }
    before = os.environ.get("HF_MODEL")
    os.environ["HF_MODEL"] = str(folder)
    try:
        return create_tt_model(**arguments)
    finally:
        if before is None:
            del os.environ["HF_MODEL"]
        else:
            os.environ["HF_MODEL"] = before


@dataclass
class Row:
    """A running request: all its tokens, its blocks, and the logits of each step."""

    tokens: list[int]
    blocks: list[int]
    logits: list[torch.Tensor] = field(default_factory=list)


class Server:
    """Admits prompts to slots and decodes them greedily; hands out blocks in random order."""

    def __init__(self, folder: Path, *, seed: int = 0, **changes: Any) -> None:
        self.args, self.model, self.kv_cache, _ = load(folder, **changes)
        self.generator = Generator([self.model], [self.args], None)
        self.random = random.Random(seed)
        count, _, self.block_size, _ = self.kv_cache[0][0].shape
        self.free = list(range(1, count))
        self.random.shuffle(self.free)
        self.width = -(-self.args.max_seq_len // self.block_size)
        self.rows: dict[int, Row] = {}

    def prompt(self, length: int) -> list[int]:
        """Return random tokens."""
        return [self.random.randrange(4, 300) for _ in range(length)]

    def table(self, blocks: list[int]) -> list[int]:
        """Return a row of a page table."""
        return blocks + [0] * (self.width - len(blocks))

    def _grow(self, row: Row) -> None:
        while len(row.blocks) * self.block_size < len(row.tokens):
            row.blocks.append(self.free.pop())

    def admit(self, prompts: dict[int, list[int]]) -> None:
        """Prefill the prompts into their slots, in one call, and take each row's first token."""
        for slot, prompt in prompts.items():
            self.rows[slot] = Row(list(prompt), [])
            self._grow(self.rows[slot])
        lengths = [len(prompt) for prompt in prompts.values()]
        tokens = torch.zeros(len(prompts), max(lengths), dtype=torch.int64)
        for index, prompt in enumerate(prompts.values()):
            tokens[index, : len(prompt)] = torch.tensor(prompt)
        tables = [self.table(self.rows[slot].blocks) for slot in prompts]
        logits = self.generator.prefill_forward_text(
            tokens,
            page_table=torch.tensor(tables, dtype=torch.int32),
            kv_cache=[self.kv_cache],
            prompt_lens=lengths,
            empty_slots=list(prompts),
        )
        assert logits.shape == (len(prompts), 1, self.args.vocab_size)
        assert logits.dtype == torch.float32
        for index, slot in enumerate(prompts):
            self._take(self.rows[slot], logits[index, 0])

    @staticmethod
    def _take(row: Row, logits: torch.Tensor) -> None:
        row.logits.append(logits.clone())
        row.tokens.append(int(logits.argmax()))

    def inputs(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return tokens, positions and page table of the next step."""
        rows = self.args.max_batch_size
        tokens = torch.zeros(rows, 1, dtype=torch.int64)
        positions = torch.full((rows,), -1, dtype=torch.int32)
        table = torch.zeros(rows, self.width, dtype=torch.int32)
        for slot, row in self.rows.items():
            self._grow(row)
            tokens[slot], positions[slot] = row.tokens[-1], len(row.tokens) - 1
            table[slot] = torch.tensor(self.table(row.blocks))
        return tokens, positions, table

    def step(self) -> torch.Tensor:
        """Decode one token for each row."""
        tokens, positions, table = self.inputs()
        logits = self.generator.decode_forward_text(
            tokens, positions, page_table=table, kv_cache=[self.kv_cache]
        )
        assert logits.shape == (self.args.max_batch_size, 1, self.args.vocab_size)
        for slot, row in self.rows.items():
            self._take(row, logits[slot, 0])
        return logits

    def finish(self, slot: int) -> Row:
        """End a request and take its blocks back, in random order."""
        row = self.rows.pop(slot)
        self.free += row.blocks
        self.random.shuffle(self.free)
        return row


@pytest.fixture(scope="session")
def server() -> type[Server]:
    """Return the class: a test chooses checkpoint and sizes."""
    return Server


@pytest.fixture(scope="session")
def load_model() -> Any:
    """Return `load`: `create_tt_model` for a folder, with small defaults."""
    return load


@pytest.fixture
def run(checkpoint: Any, server: type[Server]) -> Server:
    """Return a server of a small model."""
    return server(checkpoint("llama").folder)


@pytest.fixture(params=ERAS)
def caller(request: pytest.FixtureRequest, run: Server) -> Caller:
    """Return a `Caller` of every era in turn."""
    return Caller(request.param, run)
