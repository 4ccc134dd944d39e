"""Stand-ins for the part of `ttnn` that a server script touches, for a computer without a card.

The "mesh" is the CPU, or with TTDIRECT_DEVICE=cuda an NVIDIA GPU.

Names and argument shapes are those of the ttnn 0.81.1 wheel, so that

    from ttdirect import generator as ttnn

is the only line that differs from a script for Tenstorrent hardware.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ttdirect.generator.errors import NoSuchDeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator


SETTING = "TTDIRECT_DEVICE"


class DataType(enum.Enum):
    """The ttnn data types that `create_tt_model(dtype=...)` understands."""

    BFLOAT16 = "bfloat16"
    BFLOAT8_B = "bfloat8_b"
    BFLOAT4_B = "bfloat4_b"
    FLOAT32 = "float32"


bfloat16 = DataType.BFLOAT16
"""Weights rounded to bfloat16."""
bfloat8_b = DataType.BFLOAT8_B
"""The default compact precision: 8 bits a weight, here as integers with a scale to 32 of them."""
bfloat4_b = DataType.BFLOAT4_B
"""4 bits a weight, likewise: twice as fast to read, and less exact."""
float32 = DataType.FLOAT32
"""The checkpoint's exact weights, computed in float32."""


@dataclass(frozen=True)
class MeshShape:
    """Rows and columns of a device mesh; iterable, like ttnn's."""

    rows: int
    cols: int

    def __iter__(self) -> Iterator[int]:
        return iter((self.rows, self.cols))

    def __repr__(self) -> str:
        return f"MeshShape([{self.rows}, {self.cols}])"


class MeshDevice:
    """The computer's CPU or one GPU, seen as a mesh of one device."""

    def __init__(self, shape: MeshShape, torch_device: torch.device) -> None:
        self.shape = shape
        self.torch_device = torch_device
        self.is_open = True

    @property
    def name(self) -> str:
        """The device's name for people, such as CPU."""
        is_gpu = self.torch_device.type == "cuda"
        return torch.cuda.get_device_name(self.torch_device) if is_gpu else "CPU"

    def get_num_devices(self) -> int:
        """Return 1: the CPU is one device, whatever its number of cores."""
        return 1

    def get_device_ids(self) -> list[int]:
        """Return the ids of the devices in the mesh."""
        return [0]

    def get_submeshes(self) -> list[MeshDevice]:
        """Return the parts that it was divided into: none."""
        return []

    def arch(self) -> str:
        """Return "cpu" or "cuda", where ttnn gives the chip's architecture."""
        return self.torch_device.type

    def __repr__(self) -> str:
        return "MeshDevice(1x1 grid, 1 devices)"


class DispatchCoreConfig:
    """Which cores hand out work on a card; a CPU has no such cores."""


def get_num_devices() -> int:
    """Return the number of devices on this computer: always 1, the CPU or a GPU."""
    return 1


def open_mesh_device(
    mesh_shape: MeshShape | None = None,
    l1_small_size: int = 0,  # noqa: ARG001  ttnn's signature: a CPU has no such memories
    trace_region_size: int = 0,  # noqa: ARG001
    num_command_queues: int = 1,  # noqa: ARG001
    dispatch_core_config: Any = None,  # noqa: ARG001
    **kwargs: Any,  # noqa: ARG001  offset, physical_device_ids, worker_l1_size
) -> MeshDevice:
    """Open the CPU as a 1x1 mesh; `None` means the whole system, as in ttnn.

    With the environment variable TTDIRECT_DEVICE=cuda it is an NVIDIA GPU instead.

    Raises:
        RuntimeError: the mesh asks for more devices than one, in ttnn's words.
        NoSuchDeviceError: TTDIRECT_DEVICE names a device that is not here.
    """
    shape = mesh_shape or MeshShape(1, 1)
    wanted = shape.rows * shape.cols
    if wanted != 1:
        raise RuntimeError(
            f"Requested mesh shape {shape!r} requires {wanted} devices, but only 1 devices are "
            "available in the system mesh MeshShape([1, 1])."
        )
    return MeshDevice(shape, _choose_torch_device())


def close_mesh_device(mesh_device: MeshDevice) -> None:
    """Close the mesh; closing twice does no harm."""
    mesh_device.is_open = False


def _choose_torch_device() -> torch.device:
    setting = os.environ.get(SETTING, "").strip().lower() or "auto"
    if setting == "cuda":
        return _open_gpu()
    if setting not in ("auto", "cpu"):
        raise NoSuchDeviceError(
            f"{SETTING} is {setting!r}, and this script is for the CPU or a GPU.",
            "Set it to one of: auto, cpu, cuda; or write a script for a card with: "
            "ttdirect create --device tenstorrent",
        )
    # A GPU has to be asked for: it may be busy with the screen or with somebody's training, and
    # answers in bfloat16 are not to the letter those that the CPU's int8 gives.
    return torch.device("cpu")


def _open_gpu() -> torch.device:
    """Return the GPU that PyTorch computes on; CUDA_VISIBLE_DEVICES says which that is."""
    if not torch.backends.cuda.is_built():
        raise NoSuchDeviceError(
            f"A GPU was asked for, and this PyTorch ({torch.__version__}) is built without CUDA.",
            "Install one with CUDA (https://pytorch.org/get-started/locally), or use the CPU: "
            "--device cpu, or TTDIRECT_DEVICE=cpu.",
        )
    if not torch.cuda.is_available():
        raise NoSuchDeviceError(
            f"A GPU was asked for, and PyTorch {torch.__version__} finds none that it can use.",
            "Check GPU and driver with nvidia-smi, and that CUDA_VISIBLE_DEVICES hides no GPU; or "
            "use the CPU: --device cpu, or TTDIRECT_DEVICE=cpu.",
        )
    return torch.device("cuda", torch.cuda.current_device())
