"""Opening chips as a mesh, and giving them back in the right order.

The facts are those of the ttnn 0.81.1 wheel, on which the tests try them with mock clusters, and
of vllm-tt-plugin @ e3fc849 (`worker.py`). Everything here runs on the engine's thread: ttnn is not
thread safe.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ttdirect.device import clone
from ttdirect.device.errors import DeviceError
from ttdirect.device.failures import recognise
from ttdirect.device.fit import check_fit
from ttdirect.device.open_card import open_card
from ttdirect.device.plan import plan
from ttdirect.device.system import is_card, look_at
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
        self.device: Any = device
        self.parts: list[Any] = [device]
        """The mesh itself, or the parts that it is divided into, each for a model of its own."""
        self._ttnn = ttnn
        self._uses_fabric = uses_fabric

    def divide(self, shape: tuple[int, int]) -> None:
        """Divide the mesh into parts of so many rows and columns."""
        self.parts = list(self.device.create_submeshes(self._ttnn.MeshShape(*shape)))

    def close(self) -> None:
        """Give the chips back; closing twice does no harm.

        Generator and model must be gone by then: a Generator releases its traces when it is
        dropped, and that needs an open device.
        """
        device, self.device, self.parts = self.device, None, []
        if device is None:
            return
        try:
            # The Generator has closed them already if it had several models; twice does no harm.
            for submesh in device.get_submeshes():
                self._ttnn.close_mesh_device(submesh)
            self._ttnn.close_mesh_device(device)
        finally:
            if self._uses_fabric:
                # Else opening again can fail: "tried to set num initialized routers again".
                self._ttnn.set_fabric_config(self._ttnn.FabricConfig.DISABLED)
            open_card.note(is_open=False)


def open_mesh(
    ttnn: Any,
    shape: Sequence[int] | None = None,
    data_parallel: int = 1,
    *,
    model: str,
    cache_tokens: int = 0,
    trace_region_size: int | None = None,
) -> Mesh:
    """Open the chips that a model is to run on.

    With tt-metal's own model code, its clone becomes the working directory.

    Args:
        ttnn: the module, or the CPU's stand-in for it.
        shape: rows and columns of chips; None is what MESH_DEVICE says, else all chips.
            TT_VISIBLE_DEVICES hides chips from ttnn itself.
        data_parallel: equal parts that the mesh is divided into, each for a whole model.
        model: what will be loaded: a name on the hub, or a folder.
        cache_tokens: size of the KV cache that will be made, for all requests together; each part
            has an equal share.
        trace_region_size: bytes of each chip for traces; None is what is known for the model.

    Returns:
        The open mesh. Its `close` is for the same thread.

    Raises:
        DeviceError: something about chips, settings or model does not fit, in words for people.
        RuntimeError: ttnn failed in a way that we know nothing about.
    """
    try:
        return _open(ttnn, shape, data_parallel, model, cache_tokens, trace_region_size)
    except RuntimeError as error:
        if known := recognise(error):
            raise known from error
        raise


def _open(  # noqa: PLR0917 - the arguments of `open_mesh`
    ttnn: Any,
    shape: Sequence[int] | None,
    data_parallel: int,
    model: str,
    cache_tokens: int,
    trace_region_size: int | None,
) -> Mesh:
    if is_card(ttnn):  # before ttnn starts its driver, which may wait already
        _warn_of_others()
    system = look_at(ttnn)
    chosen = plan(
        system,
        model,
        shape=shape,
        data_parallel=data_parallel,
        trace_region_size=trace_region_size,
    )
    if system.is_card:
        if not model:
            raise _not_chosen()
        if chosen.room is not None:
            check_fit(model, cache_tokens // data_parallel, chosen.room)
        clone.enter()
    rows, columns = chosen.shape
    fabric = fabric_for(system, rows * columns)
    open_card.note(is_open=system.is_card)
    if fabric:
        ttnn.set_fabric_config(getattr(ttnn.FabricConfig, fabric))
    try:
        device = ttnn.open_mesh_device(
            ttnn.MeshShape(rows, columns),
            trace_region_size=chosen.trace_region_size,
            num_command_queues=1,
            # Without arguments ttnn chooses what fits the board: Ethernet cores on N300 and T3K,
            # whose models else lack a row of the grid, and columns of workers on Blackhole.
            dispatch_core_config=ttnn.DispatchCoreConfig(),
        )
    except BaseException:
        if fabric:
            ttnn.set_fabric_config(ttnn.FabricConfig.DISABLED)
        open_card.note(is_open=False)
        raise
    mesh = Mesh(ttnn, device, uses_fabric=bool(fabric))
    if data_parallel > 1:
        try:
            mesh.divide(chosen.part)
        except BaseException:
            mesh.close()
            raise
    return mesh


def _warn_of_others() -> None:
    """Name who has a device open: opening it may wait for a lock of theirs without a word."""
    if others := holders(THIS_COMPUTER):
        log.warning(
            "The Tenstorrent device is in use by %s. If opening it here does not go on, end that.",
            ", ".join(map(str, others)),
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
