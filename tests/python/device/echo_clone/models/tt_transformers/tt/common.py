"""What the script takes from tt-metal's `common.py`: a model that holds a KV cache and no weights.

The cache lies on the device that ttnn has opened, shaped as tt-metal shapes it, so that memory
runs out and is given back as with a real one.
"""

import threading
from types import SimpleNamespace

import ttnn

from byte_tokenizer import ByteTokenizer

LAYERS, KV_HEADS, HEAD_SIZE = 4, 8, 128


class PagedAttentionConfig:
    def __init__(self, block_size=32, max_num_blocks=1024):
        self.block_size = block_size
        self.max_num_blocks = max_num_blocks


def create_tt_model(
    mesh_device,
    instruct,
    max_batch_size,
    optimizations,
    max_seq_len,
    paged_attention_config=None,
    dtype=ttnn.bfloat8_b,
    state_dict=None,
    num_layers=None,
    use_prefetcher=False,
    use_hf_rope=False,
):
    assert threading.current_thread().name == "engine"
    args = SimpleNamespace(
        n_layers=LAYERS,
        model_name="echo",
        device_name=ttnn.cluster.get_cluster_type().name,
        max_batch_size=max_batch_size,
        tokenizer=ByteTokenizer(),
        vocab_size=ByteTokenizer().vocab_size,
        max_prefill_chunk_size=4096,
        can_enable_trace=lambda length, cached=0: length == 128,
    )
    optimizations(args)
    paging = paged_attention_config
    heads = KV_HEADS // mesh_device.get_num_devices()
    shape = ttnn.Shape([paging.max_num_blocks, heads, paging.block_size, HEAD_SIZE])

    def allocate():
        return ttnn.allocate_tensor_on_device(shape, dtype, ttnn.TILE_LAYOUT, mesh_device)

    model = SimpleNamespace(mesh_device=mesh_device)
    return args, model, [[allocate(), allocate()] for _ in range(LAYERS)], {}


def _say_when_closed(close):
    """So that a test sees when the device was closed, and on which thread."""

    def close_and_say(mesh_device):
        shape = tuple(mesh_device.shape)
        close(mesh_device)
        print(f"closed {shape} on {threading.current_thread().name}", flush=True)

    return close_and_say


ttnn.close_mesh_device = _say_when_closed(ttnn.close_mesh_device)
