"""A device and a model for the user's script, behind the names that the script imports.

`script_for_fake_card()` renders the real template with its import lines pointing here, so whole
server processes start in a moment and answer exact texts. The environment variable FAKE_CARD
holds options as JSON: `step_seconds`, `load_seconds`, `fail_at_step`, `failures`, `failure` (its
text), `load_error`, `error_in_loading` and `error_in_opening` (texts as tt-metal's),
`exit_in_loading` (a code), `abort_in_loading`, `chips`, `cluster` (ttnn's name for them),
`silence_seconds` (after which gunicorn's master takes the server for dead), and paths: steps wait
while the file `hold_while` exists, loading while `load_hold_while` does, closing while
`close_hold_while` does; where `freeze_if` exists, a step holds Python's lock and does not return.
"""

import ctypes
import json
import os
import threading
import time
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

from byte_tokenizer import ByteTokenizer
from fake_generator import FakeGenerator, Gate
from ttdirect.server import worker_end

bfloat8_b = "bfloat8_b"


def options():
    return json.loads(os.environ.get("FAKE_CARD", "{}"))


worker_end.SILENCE_SECONDS = options().get("silence_seconds", worker_end.SILENCE_SECONDS)


class FileGate(Gate):
    """A gate that another process holds: steps wait while a file exists."""

    def __init__(self, path, freeze_if=None):
        super().__init__()
        self._path = Path(path) if path else None
        self._freeze_if = Path(freeze_if) if freeze_if else None

    def pass_through(self):
        super().pass_through()
        if self._freeze_if is not None and self._freeze_if.exists():
            ctypes.PyDLL(None).sleep(600)  # unlike CDLL, this does not let go of the lock
        while self._path is not None and self._path.exists():
            time.sleep(0.002)


generators = []
"""The Generators made in this process, for tests that load the script into their own."""


calls = []
"""What was asked of the device in this process: name, what it was about, name of the thread."""


def _note(name, about=None):
    calls.append((name, about, threading.current_thread().name))


def MeshShape(rows, columns):  # noqa: N802 - ttnn's name
    return (rows, columns)


class DispatchCoreConfig:
    pass


class FabricConfig(Enum):
    DISABLED = 0
    FABRIC_1D = 1


def set_fabric_config(config):
    _note("set_fabric_config", config.name)


def get_num_devices():
    _note("get_num_devices")
    return options().get("chips", 1)


def get_arch_name():
    return "wormhole_b0"


class cluster:  # noqa: N801 - ttnn's name
    @staticmethod
    def get_cluster_type():
        return SimpleNamespace(name=options().get("cluster", "CUSTOM"))


def open_mesh_device(mesh_shape, trace_region_size, num_command_queues, dispatch_core_config):
    _note("open_mesh_device", mesh_shape)
    assert trace_region_size > 0, "always set (generator-api.md, section 9)"
    assert num_command_queues == 1
    assert isinstance(dispatch_core_config, DispatchCoreConfig)
    if "error_in_opening" in options():
        raise RuntimeError(options()["error_in_opening"])
    parts = []
    return SimpleNamespace(
        shape=mesh_shape,
        get_submeshes=lambda: list(parts),
        create_submeshes=lambda shape: _divide(mesh_shape, shape, parts),
    )


def _divide(whole, part, parts):
    _note("create_submeshes", part)
    count = whole[0] * whole[1] // (part[0] * part[1])
    parts += [SimpleNamespace(shape=part) for _ in range(count)]
    return list(parts)


def close_mesh_device(mesh_device):
    _note("close_mesh_device", mesh_device.shape)
    FileGate(options().get("close_hold_while")).pass_through()
    print("fake card closed", flush=True)


class DecodersPrecision:
    performance = accuracy = staticmethod(lambda n_layers, model_name: (n_layers, model_name))


class PagedAttentionConfig:
    def __init__(self, block_size=32, max_num_blocks=1024):
        self.block_size = block_size
        self.max_num_blocks = max_num_blocks


FAILURE = """out of luck in /home/somebody/tt-metal/models/tt_transformers/tt/model.py
backtrace:
 --- /home/somebody/libtt.so(+0x1)"""
"""A failure of the model that another step need not have."""


class FakeCardError(Exception):
    fix = "put the card back in"


def create_tt_model(
    mesh_device,
    instruct,
    max_batch_size,
    optimizations,
    max_seq_len,
    paged_attention_config,
    dtype,
    state_dict=None,
):
    if "load_error" in options():
        raise FakeCardError(options()["load_error"])
    if "error_in_loading" in options():
        raise RuntimeError(options()["error_in_loading"])
    if "exit_in_loading" in options():
        os._exit(options()["exit_in_loading"])
    if options().get("abort_in_loading"):
        os.abort()
    time.sleep(options().get("load_seconds", 0.0))
    FileGate(options().get("load_hold_while")).pass_through()
    args = SimpleNamespace(
        n_layers=2,
        model_name=os.environ["HF_MODEL"],
        device_name="fake card",
        vocab_size=ByteTokenizer().vocab_size,
        tokenizer=ByteTokenizer(),
        max_batch_size=max_batch_size,
        max_seq_len=max_seq_len,
        paging=paged_attention_config,
    )
    optimizations(args)
    return args, SimpleNamespace(), [], {}


def answer(prompt):
    """What the fake model says: an echo, an answer as long as asked for, or text from a hash."""
    if prompt.startswith("hash"):
        return None
    if prompt.startswith("repeat "):
        _, count, text = prompt.split(" ", 2)
        return text * int(count)
    return f"You said: {prompt}"


class Generator(FakeGenerator):
    def __init__(self, model, model_args, mesh_device, tokenizer=None):
        args = model_args[0]
        super().__init__(
            max_batch_size=args.max_batch_size * len(model),
            data_parallel=len(model),
            block_size=args.paging.block_size,
            num_blocks=args.paging.max_num_blocks,
            max_seq_len=args.max_seq_len,
            step_seconds=options().get("step_seconds", 0.0),
            fail_at_step=options().get("fail_at_step"),
            failures=options().get("failures", 1),
            answers=answer,
            gate=FileGate(options().get("hold_while"), options().get("freeze_if")),
            failure=RuntimeError(options().get("failure", FAILURE)),
            tokenizer=tokenizer,
        )
        generators.append(self)
