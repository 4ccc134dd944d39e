"""Opening chips as a mesh, and giving them back in the right order.

The facts are those of the ttnn 0.81.1 wheel, on which the tests try them with mock clusters, and
of vllm-tt-plugin @ e3fc849 (`worker.py`). Everything here runs on the engine's thread: ttnn is not
thread safe.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from ttdirect.device import clone
from ttdirect.device.errors import DeviceError
from ttdirect.device.failures import recognise
from ttdirect.device.fit import Room, check_fit
from ttdirect.device.shape import MESH_DEVICE, choose_shape
from ttdirect.device.system import look_at
from ttdirect.device.trace_region import trace_region_bytes
from ttdirect.hardware.sysfs import THIS_COMPUTER, holders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.device.system import System

log = logging.getLogger("ttdirect.device")


class Mesh:
    """An open mesh of chips.

    Args:
        ttnn: the module that opened it.
        device: its MeshDevice, for `create_tt_model` and `Generator`.
        uses_fabric: whether the chips were wired together.
    """

    def __init__(self, ttnn: Any, device: Any, *, uses_fabric: bool) -> None:
        self.device = device
        self._ttnn = ttnn
        self._uses_fabric = uses_fabric

    def close(self) -> None:
        """Give the chips back; closing twice does no harm.

        Generator and model must be gone by then: a Generator releases its traces when it is
        dropped, and that needs an open device.
        """
        device, self.device = self.device, None
        if device is None:
            return
        try:
            for submesh in device.get_submeshes():
                self._ttnn.close_mesh_device(submesh)
            self._ttnn.close_mesh_device(device)
        finally:
            if self._uses_fabric:
                # Else opening again can fail: "tried to set num initialized routers again".
                self._ttnn.set_fabric_config(self._ttnn.FabricConfig.DISABLED)


def open_mesh(
    ttnn: Any,
    shape: Sequence[int] | None = None,
    *,
    model: str,
    cache_tokens: int = 0,
    trace_region_size: int | None = None,
) -> Mesh:
    """Open the chips that a model is to run on.

    With tt-metal's own model code, its clone becomes the working directory.

    Args:
        ttnn: the module, or the CPU's stand-in for it.
        shape: rows and columns of chips; None is what MESH_DEVICE says, else all chips in a row.
            TT_VISIBLE_DEVICES hides chips from ttnn itself.
        model: what will be loaded: a name on the hub, or a folder.
        cache_tokens: size of the KV cache that will be made, for all requests together.
        trace_region_size: bytes of each chip for traces; None is what is known for the model.

    Returns:
        The open mesh. Its `close` is for the same thread.

    Raises:
        DeviceError: something about chips, settings or model does not fit, in words for people.
        RuntimeError: ttnn failed in a way that we know nothing about.
    """
    try:
        return _open(ttnn, shape, model, cache_tokens, trace_region_size)
    except RuntimeError as error:
        if known := recognise(error):
            raise known from error
        raise


def _open(
    ttnn: Any,
    shape: Sequence[int] | None,
    model: str,
    cache_tokens: int,
    trace_region_size: int | None,
) -> Mesh:
    _warn_of_others()
    system = look_at(ttnn)
    named = os.environ.get(MESH_DEVICE, "") if system.is_card else ""
    rows, columns = choose_shape(shape, named, system.chips)
    if trace_region_size is None:
        trace_region_size = trace_region_bytes(model, system.name_of(rows * columns))
    if system.is_card:
        if not model:
            raise _not_chosen()
        if system.board is not None:
            check_fit(model, cache_tokens, Room(system.board, rows, columns, trace_region_size))
        clone.enter()
    fabric = fabric_for(system, rows * columns)
    if fabric:
        ttnn.set_fabric_config(getattr(ttnn.FabricConfig, fabric))
    try:
        device = ttnn.open_mesh_device(
            ttnn.MeshShape(rows, columns),
            trace_region_size=trace_region_size,
            num_command_queues=1,
            # Without arguments ttnn chooses what fits the board.
            dispatch_core_config=ttnn.DispatchCoreConfig(),
        )
    except BaseException:
        if fabric:
            ttnn.set_fabric_config(ttnn.FabricConfig.DISABLED)
        raise
    return Mesh(ttnn, device, uses_fabric=bool(fabric))


def _warn_of_others() -> None:
    """Name who has a device open: opening it may wait for a lock of theirs without a word."""
    for holder in holders(THIS_COMPUTER):
        if holder.pid != os.getpid():
            log.warning(
                "Process %d (%s) has a Tenstorrent device open. If opening it here does not go on, "
                "end that process.",
                holder.pid,
                holder.name or "of another container",
            )


def fabric_for(system: System, chips: int) -> str:
    """Return the FabricConfig that wires so many chips, empty for a single one.

    The rule of vllm-tt-plugin; it has to be set before the mesh is opened.
    """
    if chips == 1:
        return ""
    special = {"GALAXY": "FABRIC_1D_RING", "BLACKHOLE_GALAXY": "FABRIC_2D_TORUS_XY"}
    return special.get(system.cluster, "FABRIC_1D")


def _not_chosen() -> DeviceError:
    return DeviceError(
        "model-not-chosen",
        "No model is chosen: HF_MODEL is not set.",
        "export HF_MODEL=meta-llama/Llama-3.1-8B-Instruct, or another model or folder",
        "the-model-cannot-be-had",
    )
