"""Random checkpoints for speed: the shapes of real models, weights that mean nothing."""

import shutil
import tempfile
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig

from ttdirect.demo_model import CHECKPOINT

SHAPES = {
    "m135": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
    },
    "m1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
}
"""`m135` has the shape of SmolLM2-135M (134.5 million parameters), `m1b` that of Llama 3.2 1B
(1,236 million); both with tied embeddings."""

ATTENTION_SHARE = 0.2

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")


def random_checkpoint(name: str, folder: Path) -> Path:
    """Write a checkpoint once and keep it; the tokenizer is the shipped model's.

    Tokens without a text of their own (special ones, halves of characters, ids that the tokenizer
    does not know) get zero embeddings, so that with tied weights they never win: every answer has
    the length that was asked for, and each of its tokens is seen by a client that streams.
    Attention counts less than usual: through random layers it makes all positions alike, and the
    answer would be one token again and again, which drafts could guess.
    """
    target = folder / name
    if (target / "config.json").exists():
        return target
    torch.manual_seed(0)
    config = LlamaConfig(
        **SHAPES[name], max_position_embeddings=8192, tie_word_embeddings=True, rope_theta=10000.0
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    silent = torch.ones(config.vocab_size, dtype=torch.bool)
    silent[tokens_with_text()] = False
    with torch.no_grad():
        model.model.embed_tokens.weight[silent] = 0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight *= ATTENTION_SHARE
    write_checkpoint(model, target)
    return target


def write_checkpoint(model: torch.nn.Module, target: Path) -> None:
    """Write a model and the shipped tokenizer into a folder, which is there when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as half_done:
        written = Path(half_done) / target.name
        model.save_pretrained(written)
        for file in TOKENIZER_FILES:
            shutil.copy(CHECKPOINT / file, written)
        written.rename(target)


def tokens_with_text() -> list[int]:
    """The ids of the shipped tokenizer's tokens that are whole characters by themselves."""
    tokenizer = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
    texts = {token: tokenizer.decode([token]) for token in range(tokenizer.get_vocab_size())}
    incomplete = "\N{REPLACEMENT CHARACTER}"
    return [token for token, text in texts.items() if text and incomplete not in text]
