"""Tenstorrent's Generator API on the CPU: the names, shapes and rules of tt-metal and ttnn.

A script for a card becomes one for a computer without a card by its import lines alone:

    from ttdirect import generator as ttnn
    from ttdirect.generator import Generator, PagedAttentionConfig, create_tt_model
"""

from ttdirect.generator.threads import wait_politely

wait_politely()  # before anything here imports torch

from ttdirect.generator.contract import SUPPORTED_BATCHES, get_padded_prefill_len
from ttdirect.generator.device import (
    DataType,
    DispatchCoreConfig,
    MeshDevice,
    MeshShape,
    bfloat4_b,
    bfloat8_b,
    bfloat16,
    close_mesh_device,
    float32,
    get_num_devices,
    open_mesh_device,
)
from ttdirect.generator.errors import (
    ContextTooLongError,
    GatedModelError,
    GeneratorError,
    ModelNotChosenError,
    ModelNotFoundError,
    NotACheckpointError,
    NotEnoughMemoryError,
    UnsupportedModelError,
)
from ttdirect.generator.generator import Generator
from ttdirect.generator.kv_cache import PagedAttentionConfig
from ttdirect.generator.model import DecodersPrecision, ModelArgs, create_tt_model
from ttdirect.generator.sampling import SamplingParams
from ttdirect.generator.tokenizer import Tokenizer

__all__ = [
    "SUPPORTED_BATCHES",
    "ContextTooLongError",
    "DataType",
    "DecodersPrecision",
    "DispatchCoreConfig",
    "GatedModelError",
    "Generator",
    "GeneratorError",
    "MeshDevice",
    "MeshShape",
    "ModelArgs",
    "ModelNotChosenError",
    "ModelNotFoundError",
    "NotACheckpointError",
    "NotEnoughMemoryError",
    "PagedAttentionConfig",
    "SamplingParams",
    "Tokenizer",
    "UnsupportedModelError",
    "bfloat4_b",
    "bfloat8_b",
    "bfloat16",
    "close_mesh_device",
    "create_tt_model",
    "float32",
    "get_num_devices",
    "get_padded_prefill_len",
    "open_mesh_device",
]
