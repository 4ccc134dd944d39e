"""The check of the memory that a server will need, from the model's files and the settings alone.

On a CPU it is what `ttdirect.generator` would count when it has loaded the model, for a processor
that computes int8 and int4 (most do; others hold bfloat16, and the server's log says so). Nothing
of the generator is imported here, because that takes torch.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdirect.cli import serve_settings
from ttdirect.cli.checks.check import Check
from ttdirect.cli.checks.model import gib, list_shards, read_header
from ttdirect.cli.errors import UsageError
from ttdirect.script.render import default_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.cli.checks.model import FoundModel
    from ttdirect.script.device import Device

INTEGER_FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3")
"""What `ttdirect.generator` computes with integer weights; all others have floats."""

_SCALE_BITS = 0.5  # of 16 bits for each 32 weights
_HEAD_BITS = 8
_INTEGER_BITS = {"auto": 8, "int8": 8, "int4": 4}
EXTRA_BYTES = 512 << 20
"""What Python, torch and a step's own numbers take beside weights and KV cache."""

_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Need:
    """What a server will hold, in bytes and in words."""

    weights_bytes: int
    kv_cache_bytes: int
    precision: str
    cache_tokens: int


@dataclass(frozen=True)
class Sizes:
    """What decides how much memory a model takes on a CPU.

    Args:
        family: the `model_type` of its config.
        layers: values in the matrices of all its layers.
        embedding: values in its embedding table; the output projection has as many.
        is_tied: whether the two are the same.
        kv_values: values that a token has in the KV cache.
    """

    family: str
    layers: int
    embedding: int
    is_tied: bool
    kv_values: int


def check_memory(model: FoundModel, device: Device, environment: Mapping[str, str]) -> Check:
    """Check that the memory that is free now holds the weights and the KV cache.

    Args:
        model: the model that would be served.
        device: what would compute; a card has memory of its own, so only the files count.
        environment: where the settings of `ttdirect serve` are looked up.
    """
    free = available_bytes()
    if free is None:
        available = "this system does not tell how much is free"
    else:
        available = f"{gib(free)} free"
    if model.weights_bytes is None or model.folder is None:
        return Check("memory", "ok", available)
    fix = "end other programs, or set HF_MODEL to a smaller model"
    try:
        need = what_it_needs(model.folder, environment) if device == "cpu" else None
    except UsageError as error:
        return Check("memory", "fail", error.what, error.fix)
    if need is None:
        needed = model.weights_bytes
        message = f"{available}; the weights take {gib(needed)}"
    else:
        needed = need.weights_bytes + need.kv_cache_bytes
        message = (
            f"{available}; the weights take {gib(need.weights_bytes)} in {need.precision}, and the "
            f"KV cache {gib(need.kv_cache_bytes)} for {need.cache_tokens} tokens"
        )
        fix += ", or lower cache_tokens"
    if free is not None and free < needed:
        return Check("memory", "fail", message, fix)
    if free is not None and free < needed + EXTRA_BYTES:
        return Check("memory", "warn", message, fix)
    return Check("memory", "ok", message)


def what_it_needs(folder: Path, environment: Mapping[str, str]) -> Need | None:
    """Return what a CPU needs for a checkpoint folder.

    None for a config that we do not know, and for a GPU, which has memory of its own.

    Raises:
        UsageError: a setting of the environment is wrong.
    """
    try:
        sizes = _sizes_of(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return need_of(sizes, environment)


def need_of(sizes: Sizes, environment: Mapping[str, str]) -> Need | None:
    """Return what a CPU needs for a model of these sizes, None for a GPU.

    Raises:
        UsageError: a setting of the environment is wrong.
    """
    nothing = dict.fromkeys([setting.name for setting in serve_settings.SETTINGS])
    chosen = serve_settings.choose(argparse.Namespace(config=None, **nothing), environment).values
    if chosen.get("device") == "cuda":
        return None
    limits = {name: int(chosen.get(name.lower(), it)) for name, it in default_limits().items()}
    block = limits["BLOCK_SIZE"]
    tokens = (limits["CACHE_TOKENS"] // block + 1) * block
    precision = str(chosen.get("precision", "auto"))
    if sizes.family not in INTEGER_FAMILIES and precision in _INTEGER_BITS:
        precision = "bf16"
    cache = tokens * sizes.kv_values * _kv_value_bytes(precision)
    name = "int8" if precision == "auto" else precision
    return Need(_weights_bytes(sizes, precision), cache, name, limits["CACHE_TOKENS"])


def available_bytes() -> int | None:
    """Return the memory that a new program can have, within a container's limit."""
    try:
        meminfo = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    if match is None:
        return None
    free = int(match[1]) * 1024
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = (group / "memory.current").read_text(encoding="ascii").strip()
        return free if limit == "max" else max(0, min(free, int(limit) - int(used)))
    except (OSError, ValueError):
        return free


def _sizes_of(folder: Path) -> Sizes:
    """Read the sizes of a checkpoint from its config and from the shapes in its files."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    shapes: dict[str, list[int]] = {
        name: tensor["shape"]
        for shard in list_shards(folder)
        for name, tensor in read_header(shard, shard.stat().st_size)[1].items()
    }
    values = {name: shape[0] * shape[1] for name, shape in shapes.items() if len(shape) == 2}
    embedding = values.pop("model.embed_tokens.weight", 0)
    values.pop("lm_head.weight", None)
    family = config["model_type"]
    is_tied = bool(config.get("tie_word_embeddings", family == "smollm3"))
    return Sizes(family, sum(values.values()), embedding, is_tied, _kv_values(config))


def _weights_bytes(sizes: Sizes, precision: str) -> int:
    """Return the bytes of a model's matrices as they are held."""
    layers, embedding = sizes.layers, sizes.embedding
    if bits := _INTEGER_BITS.get(precision):
        table = 0 if sizes.is_tied else 2 * embedding
        packed = layers * (bits + _SCALE_BITS) + embedding * (_HEAD_BITS + _SCALE_BITS)
        return round(packed / 8) + table
    # The head is packed for products, so the embedding table is there beside it, tied or not.
    table = (4 if precision == "fp32" else 2) * embedding
    return (layers + embedding) * _float_bytes(precision) + table


def _kv_values(config: Mapping[str, Any]) -> int:
    """Return how many values of the KV cache a token has."""
    heads = int(config["num_attention_heads"])
    default = 128 if config["model_type"] == "qwen3" else int(config["hidden_size"]) // heads
    head_size = int(config.get("head_dim") or default)
    kv_heads = config.get("num_key_value_heads")
    kv_heads = int(kv_heads or (8 if config["model_type"] == "mistral" else heads))
    return 2 * int(config["num_hidden_layers"]) * kv_heads * head_size


def _kv_value_bytes(precision: str) -> int:
    return 2 if precision in _INTEGER_BITS else _float_bytes(precision)


def _float_bytes(precision: str) -> int:
    """Return the bytes of a float weight: without instructions for bfloat16 it is float32."""
    if precision == "fp32":
        return 4
    try:
        cpu = _CPUINFO.read_text(encoding="utf-8")
    except OSError:
        return 4
    return 2 if re.search(r"\b(avx512_bf16|amx_tile)\b", cpu) else 4
