"""Train the demo model from scratch: `python -m ttdirect.demo_model.train`.

The corpus gives the questions and answers, `phrasing` makes every question different, and a small
Llama learns to choose and recite the right answer. Everything is seeded. The checkpoint is an
ordinary Hugging Face folder with weights in bfloat16; the evaluation at the end reads it back, so
it judges the rounded weights that ship.
"""

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import torch as safetensors
from torch import distributed, multiprocessing
from transformers import LlamaConfig, LlamaForCausalLM

from ttdirect.demo_model import CHECKPOINT
from ttdirect.demo_model.corpus import DEVELOPMENT, HELD_BACK, load, load_reserved, normalise
from ttdirect.demo_model.dataset import Examples
from ttdirect.demo_model.evaluate import evaluate, report
from ttdirect.demo_model.learning import recite, understand
from ttdirect.demo_model.tokenizer import (
    BOS_ID,
    CONTEXT,
    END_ID,
    PAD_ID,
    save_tokenizer,
    train_tokenizer,
)

SEED = 20

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
    "tie_word_embeddings": False,
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
    evaluation = evaluate(options.output)
    print(report(evaluation, evaluation.development))


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
    kept_away = [*load_reserved(DEVELOPMENT), *load_reserved(HELD_BACK)]
    reserved = frozenset(normalise(item.question) for item in kept_away)
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
    understand(model, stream, len(corpus.topics), scale)
    recite(model, stream, scale)

    # 4) The checkpoint.
    if not first:
        return
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, folder)
    _write_json(folder / "config.json", architecture)
    stop = {"bos_token_id": BOS_ID, "eos_token_id": END_ID, "pad_token_id": PAD_ID}
    _write_json(folder / "generation_config.json", {**stop, "do_sample": False})
    weights = {
        name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()
    }
    path = folder / "model.safetensors"
    cast("Any", safetensors).save_file(weights, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes it for the owner alone; a wheel keeps the mode


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
