"""Random checkpoints for speed: the shapes of real models, weights that mean nothing."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

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
}
"""`m135` has the shape of SmolLM2-135M: 134.5 million parameters, tied embeddings."""

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")


def random_checkpoint(name: str, folder: Path) -> Path:
    """Write a checkpoint once and keep it; the tokenizer is the shipped model's.

    Its special tokens get zero embeddings, so that with tied weights they never win and every
    answer has the length that was asked for.
    """
    target = folder / name
    if (target / "config.json").exists():
        return target
    torch.manual_seed(0)
    config = LlamaConfig(
        **SHAPES[name], max_position_embeddings=4096, tie_word_embeddings=True, rope_theta=10000.0
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    with torch.no_grad():
        model.model.embed_tokens.weight[:16] = 0
    model.save_pretrained(target)
    for file in TOKENIZER_FILES:
        (target / file).write_bytes((CHECKPOINT / file).read_bytes())
    return target
