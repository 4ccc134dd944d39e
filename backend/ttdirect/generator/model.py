"""`create_tt_model`: from HF_MODEL to a model that the `Generator` can run."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttdirect.generator import checkpoint
from ttdirect.generator.config import FAMILIES, parse_config
from ttdirect.generator.contract import check_batch_size
from ttdirect.generator.decoders import Limits, load_decoder
from ttdirect.generator.device import DataType, MeshDevice, bfloat8_b
from ttdirect.generator.errors import ContextTooLongError, UnsupportedModelError
from ttdirect.generator.general import GeneralModel, load_general_model
from ttdirect.generator.kv_cache import KVCache, PagedAttentionConfig
from ttdirect.generator.memory import check_memory
from ttdirect.generator.precision import IntegerPrecision, choose_precision, float_precision
from ttdirect.generator.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from torch import Tensor

    from ttdirect.generator.precision import FloatPrecision
    from ttdirect.generator.quantised import QuantisedTransformer
    from ttdirect.generator.transformer import Transformer

_log = logging.getLogger(__name__)

_BLOCK_SIZE = 32


@dataclass(frozen=True)
class DecodersPrecision:
    """tt-metal's choice between speed and accuracy for each decoder (tt/model_config.py).

    On a CPU both compute the same; the choice is kept in `model_args.optimizations`.
    """

    name: str
    n_layers: int
    model_name: str

    @classmethod
    def performance(cls, n_layers: int, model_name: str) -> DecodersPrecision:
        """Return the choice for speed."""
        return cls("performance", n_layers, model_name)

    @classmethod
    def accuracy(cls, n_layers: int, model_name: str) -> DecodersPrecision:
        """Return the choice for accuracy."""
        return cls("accuracy", n_layers, model_name)


@dataclass
class ModelArgs:
    """What a server asks about a loaded model.

    `max_context_len` is the checkpoint's own limit, `max_seq_len` the one it was started with;
    `dtype` says in words how the weights are stored and computed; `device_name` is what tt-metal's
    ModelArgs calls the board.
    """

    model_name: str
    n_layers: int
    vocab_size: int
    max_batch_size: int
    max_seq_len: int
    max_context_len: int
    tokenizer: Tokenizer
    dtype: str = ""
    instruct: bool = True
    weight_bytes: int = 0
    kv_cache_bytes: int = 0
    max_prefill_chunk_size: int = 128 * 1024
    optimizations: Any = field(default=None, repr=False)
    device_name: str = "CPU"


def create_tt_model(  # noqa: PLR0917  tt-metal's signature
    mesh_device: MeshDevice,
    instruct: bool,
    max_batch_size: int,
    optimizations: Callable[[ModelArgs], DecodersPrecision] | DecodersPrecision | None,
    max_seq_len: int,
    paged_attention_config: PagedAttentionConfig | None = None,
    dtype: DataType = bfloat8_b,
    state_dict: Mapping[str, Tensor] | None = None,
    num_layers: int | None = None,
    *,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[ModelArgs, Any, KVCache | None, Mapping[str, Tensor]]:
    """Load the model that HF_MODEL names: a folder, a hub id, or `demo`.

    Arguments and result are those of tt-metal models/tt_transformers tt/common.py.

    Args:
        mesh_device: what `open_mesh_device` returned.
        instruct: whether prompts are chats; kept in `model_args`.
        max_batch_size: rows of a decode step: 1, 2, 4, 8, 16 or 32.
        optimizations: `lambda args: DecodersPrecision.performance(args.n_layers, args.model_name)`;
            None means accuracy.
        max_seq_len: the longest text, prompt and answer together, in tokens.
        paged_attention_config: the pool of the KV cache; None gives each row `max_seq_len` tokens.
        dtype: `bfloat8_b` (the default) and `bfloat4_b` round the weights to 8 and 4 bits,
            `bfloat16` to bfloat16, and `float32` keeps them. TTDIRECT_PRECISION goes first.
        state_dict: the checkpoint's tensors by name, instead of those in its files.
        num_layers: load only the first layers.
        progress: called with a phase and a fraction 0..1 while the model loads; without it, a
            progress bar is shown when stderr is a terminal.

    Returns:
        `(model_args, model, tt_kv_cache, state_dict)`. `tt_kv_cache` is a list over layers of
        `[k, v]`, each `[max_num_blocks, n_kv_heads, block_size, head_dim]`, or None without paging;
        `state_dict` reads the checkpoint's tensors from disk when asked for one.

    Raises:
        ValueError: HF_MODEL is not set, or the batch size is not one of the six.
        RuntimeError: the mesh is closed.
        GeneratorError: the model cannot be found, read, supported or held in memory, or reads
            fewer tokens than `max_seq_len`.
    """
    if not mesh_device.is_open:
        raise RuntimeError("The mesh device is closed: open one with open_mesh_device().")
    check_batch_size(max_batch_size)
    source = checkpoint.find_model()
    config = checkpoint.read_config(source.folder)
    _check_context(source.name, config, max_seq_len)
    with _reporting(progress, source.name) as report:
        report("reading the tokenizer", 0.0)
        tokenizer = load_tokenizer(source.folder, config)
        precision = choose_precision(dtype)
        pool = paged_attention_config or _pool_without_paging(max_batch_size, max_seq_len)
        if config.get("model_type") in FAMILIES:
            spec = parse_config(config, num_layers)
            tensors = (
                checkpoint.CheckpointTensors(source.folder) if state_dict is None else state_dict
            )
            limits = Limits(max_batch_size, max_seq_len, pool)
            device = mesh_device.torch_device
            decoder = load_decoder(spec, tensors, precision, limits, progress=report, device=device)
            precision = decoder.precision
            loaded = _Loaded(
                decoder.model,
                decoder.kv_cache,
                spec.n_layers,
                spec.vocab_size,
                spec.max_context_len,
                decoder.weight_bytes,
            )
        else:
            _refuse_parts(source.name, num_layers, state_dict)
            _refuse_gpu(source.name, mesh_device)
            floats = float_precision() if isinstance(precision, IntegerPrecision) else precision
            precision = floats
            tensors = checkpoint.CheckpointTensors(source.folder)
            loaded = _load_general(source, floats, pool, max_seq_len, report)
    args = ModelArgs(
        model_name=source.name,
        n_layers=loaded.n_layers,
        vocab_size=loaded.vocab_size,
        max_batch_size=max_batch_size,
        max_seq_len=max_seq_len,
        max_context_len=loaded.max_context_len,
        tokenizer=tokenizer,
        dtype=precision.name,
        weight_bytes=loaded.weight_bytes,
        kv_cache_bytes=sum(it.nbytes for layer in loaded.kv_cache for it in layer),
        instruct=instruct,
        max_prefill_chunk_size=int(os.environ.get("MAX_PREFILL_CHUNK_SIZE", "4")) * 1024,
        device_name=mesh_device.name,
    )
    args.optimizations = _choose(optimizations, args)
    _log.info("%s: %s", source.name, args.dtype)
    _log.debug("%s: rows are padded to multiples of %d", source.name, loaded.model.row_quantum)
    if paged_attention_config is None:
        loaded.model.own_kv_cache = loaded.kv_cache
        return args, loaded.model, None, tensors
    return args, loaded.model, loaded.kv_cache, tensors


@dataclass(frozen=True)
class _Loaded:
    model: Transformer | QuantisedTransformer | GeneralModel
    kv_cache: KVCache
    n_layers: int
    vocab_size: int
    max_context_len: int
    weight_bytes: int


def _check_context(name: str, config: Mapping[str, Any], max_seq_len: int) -> None:
    """Refuse texts longer than the model has learnt to read: it would answer with nonsense."""
    known = config.get("max_position_embeddings") or config.get("n_positions") or max_seq_len
    if known < max_seq_len:
        longest = 1 << (known.bit_length() - 1)
        raise ContextTooLongError(
            f"{name} reads at most {known} tokens, and the server was started for {max_seq_len}.",
            f"Set MAX_SEQ_LEN in the script to {longest}.",
        )


def _load_general(
    source: checkpoint.ModelSource,
    precision: FloatPrecision,
    pool: PagedAttentionConfig,
    max_seq_len: int,
    report: Callable[[str, float], None],
) -> _Loaded:
    files = sum(path.stat().st_size for path in source.folder.glob("*.safetensors"))
    # A file holds at least two bytes a value, and loading copies it once.
    check_memory(files * precision.compute.itemsize // 2, 0)
    report("loading weights through transformers", 0.0)
    model = load_general_model(source.folder, precision)
    check_memory(0, pool.max_num_blocks * pool.block_size * model.kv_token_bytes())
    return _Loaded(
        model,
        model.allocate_kv_cache(pool),
        model.n_layers,
        model.vocab_size,
        getattr(model.config, "max_position_embeddings", max_seq_len),
        model.weight_bytes,
    )


def _refuse_parts(name: str, num_layers: int | None, state_dict: object) -> None:
    if num_layers is not None or state_dict is not None:
        raise UnsupportedModelError(
            f"{name} runs through transformers, which loads it whole and from its files.",
            f"Leave out num_layers and state_dict, or choose one of: {', '.join(FAMILIES)}.",
        )


def _refuse_gpu(name: str, mesh_device: MeshDevice) -> None:
    if mesh_device.torch_device.type != "cpu":
        raise UnsupportedModelError(
            f"{name} runs through transformers, which this server does on the CPU only.",
            f"Set TTDIRECT_DEVICE=cpu, or choose a model of one of: {', '.join(FAMILIES)}.",
        )


def _choose(
    optimizations: Callable[[ModelArgs], DecodersPrecision] | DecodersPrecision | None,
    args: ModelArgs,
) -> DecodersPrecision:
    if optimizations is None:
        return DecodersPrecision.accuracy(args.n_layers, args.model_name)
    return optimizations(args) if callable(optimizations) else optimizations


def _pool_without_paging(max_batch_size: int, max_seq_len: int) -> PagedAttentionConfig:
    """Return a pool that holds `max_seq_len` tokens for each row, beside block 0."""
    blocks = max_batch_size * -(-max_seq_len // _BLOCK_SIZE)
    return PagedAttentionConfig(_BLOCK_SIZE, 1 + blocks)


@contextmanager
def _reporting(
    progress: Callable[[str, float], None] | None, name: str
) -> Generator[Callable[[str, float], None], None, None]:
    """Yield the caller's report, else one that draws a bar on a terminal, else one that is mute.

    The bar is gone before anything else is printed, an error included.
    """
    if progress is not None:
        yield progress
        progress("ready", 1.0)
        return
    if not sys.stderr.isatty():
        yield lambda _phase, _fraction: None
        return
    from tqdm import tqdm  # noqa: PLC0415  only a terminal needs it

    with tqdm(total=100, leave=False, bar_format="{desc} {bar} {n:3.0f}%") as bar:

        def report(phase: str, fraction: float) -> None:
            bar.set_description(f"{name}: {phase}", refresh=False)
            bar.n = round(100 * fraction)
            bar.refresh()

        yield report
