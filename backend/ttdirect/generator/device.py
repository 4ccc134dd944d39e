"""Stand-ins for the part of `ttnn` that a server script touches, for a computer without a card.

Names and argument shapes are those of the ttnn 0.81.1 wheel, so that

    from ttdirect import generator as ttnn

is the only line that differs from a script for Tenstorrent hardware.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    """The computer's CPU, seen as a mesh of one device."""

    def __init__(self, shape: MeshShape) -> None:
        self.shape = shape
        self.is_open = True

    def get_num_devices(self) -> int:
        """Return 1: the CPU is one device, whatever its number of cores."""
        return 1

    def get_device_ids(self) -> list[int]:
        """Return the ids of the devices in the mesh."""
        return [0]

    def arch(self) -> str:
        """Return "cpu", where ttnn gives the chip's architecture."""
        return "cpu"

    def __repr__(self) -> str:
        return "MeshDevice(1x1 grid, 1 devices)"


def get_num_devices() -> int:
    """Return the number of devices on this computer: always 1, the CPU."""
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

    Raises:
        RuntimeError: the mesh asks for more devices than one, in ttnn's words.
    """
    shape = mesh_shape or MeshShape(1, 1)
    wanted = shape.rows * shape.cols
    if wanted != 1:
        raise RuntimeError(
            f"Requested mesh shape {shape!r} requires {wanted} devices, but only 1 devices are "
            "available in the system mesh MeshShape([1, 1])."
        )
    return MeshDevice(shape)


def close_mesh_device(mesh_device: MeshDevice) -> None:
    """Close the mesh; closing twice does no harm."""
    mesh_device.is_open = False
