"""A Llama checkpoint with the shipped tokenizer as a GGUF file, for llama.cpp.

llama.cpp's own `convert_hf_to_gguf.py` knows pre-tokenizers by a hash of what they produce, and
the shipped one is not in its list. It works like SmolLM's (digits one by one, then GPT-2's
pattern), so that is what the file says.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors import safe_open

PRE_TOKENIZER = "smollm"


def export(checkpoint: Path, gguf_package: Path, target: Path) -> None:
    """Write the weights in bfloat16, the norms in float32.

    Args:
        checkpoint: the folder with config.json, model.safetensors and tokenizer.json.
        gguf_package: the folder `gguf-py` of llama.cpp's sources, which has the writer.
        target: the file.
    """
    sys.path.insert(0, str(gguf_package))
    import gguf  # noqa: PLC0415, it comes with the sources that were just fetched

    config = json.loads((checkpoint / "config.json").read_text())
    writer = gguf.GGUFWriter(target, "llama")
    _add_shape(writer, config)
    _add_tokenizer(writer, gguf.TokenType, checkpoint, config["vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {
        "q_proj.weight": config["num_attention_heads"],
        "k_proj.weight": config["num_key_value_heads"],
    }
    with safe_open(checkpoint / "model.safetensors", "pt") as weights:
        for name in weights.keys():  # noqa: SIM118, it is no dict
            weight = weights.get_tensor(name)
            if count := heads.get(".".join(name.split(".")[-2:])):
                weight = _in_pairs(weight, count)
            gguf_name = names.get_name(name, try_suffixes=(".weight",))
            if weight.ndim == 1:
                writer.add_tensor(gguf_name, weight.float().numpy())
            else:
                raw = weight.contiguous().view(torch.uint8).numpy()
                writer.add_tensor(gguf_name, raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
    half_done = target.with_suffix(".part")
    writer.write_header_to_file(half_done)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    half_done.rename(target)


def weight_bytes(file: Path, gguf_package: Path) -> int:
    """Bytes of all tensors of a GGUF file: what one decoded token has to read."""
    sys.path.insert(0, str(gguf_package))
    import gguf  # noqa: PLC0415

    return sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(file).tensors)


def _in_pairs(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows in the order that llama.cpp's rotary embedding wants.

    Checkpoints rotate row i of a head together with row i + half; llama.cpp rotates neighbours.
    """
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.transpose(1, 2).reshape(rows, columns)


def _add_shape(writer, config: dict) -> None:  # noqa: ANN001, the package is not installed
    heads = config["num_attention_heads"]
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


def _add_tokenizer(writer, kinds, checkpoint: Path, vocab_size: int) -> None:  # noqa: ANN001
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text())
    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    texts = {number: token for token, number in tokenizer["model"]["vocab"].items()} | special
    tokens = [texts.get(number, f"[PAD{number}]") for number in range(vocab_size)]
    types = [
        kinds.CONTROL if n in special else kinds.NORMAL if n in texts else kinds.UNUSED
        for n in range(vocab_size)
    ]
    merges = tokenizer["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    named = {content: number for number, content in special.items()}
    writer.add_bos_token_id(named["<|bos|>"])
    writer.add_eos_token_id(named["<|end|>"])
    writer.add_add_bos_token(False)
