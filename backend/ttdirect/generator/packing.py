"""From a checkpoint's matrices to packed ones: quantised now, or kept from an earlier start."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from ttdirect.generator import weight_cache
from ttdirect.generator.checkpoint import CheckpointTensors
from ttdirect.generator.quantise import QuantisedMatrix, quantise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor

    from ttdirect.generator.config import ModelSpec
    from ttdirect.generator.weight_cache import KeptWeights

_log = logging.getLogger(__name__)

KEEP_AFTER_SECONDS = 10.0
"""The first answers come first: keeping a model's weights takes the disk and a core for a while."""


class Packer:
    """Packs the matrices of one model, one after another, always in the same order.

    Args:
        kept: where they are kept, or None if they shall not be.
    """

    def __init__(self, kept: KeptWeights | None) -> None:
        self._kept = kept
        self._read: Iterator[QuantisedMatrix] = iter(()) if kept is None else kept.read()
        self._packed: list[QuantisedMatrix] = []
        self._has_quantised = False

    @classmethod
    def of(
        cls,
        spec: ModelSpec,
        tensors: Mapping[str, Tensor],
        bits: tuple[int, int],
        expected_bytes: int,
    ) -> Packer:
        """Return the packer of a model, which keeps it if that is worth it.

        Args:
            spec: the model's sizes.
            tensors: where its matrices come from; those of files can be kept.
            bits: of the integers in its layers, and in its output projection.
            expected_bytes: what all packed matrices will take.
        """
        root = weight_cache.cache_folder()
        is_worth_it = expected_bytes >= weight_cache.LEAST_BYTES
        if root is None or not is_worth_it or not isinstance(tensors, CheckpointTensors):
            return cls(None)
        return cls(weight_cache.KeptWeights.of(root, spec, tensors.files, bits))

    def pack(self, parts: Iterable[Tensor], bits: int) -> QuantisedMatrix:
        """Return the next matrix; `parts` are as for `quantise`, and looked at only if needed."""
        matrix = self._next_kept()
        if matrix is None:
            matrix = quantise(list(parts), bits)
            self._has_quantised = True
        self._packed.append(matrix)
        return matrix

    def keep_later(self) -> threading.Timer | None:
        """Keep what was packed for the next start, in a while and on another thread.

        Returns:
            That thread, or None if there is nothing to keep.
        """
        if self._kept is None or not self._has_quantised:
            return None
        timer = threading.Timer(KEEP_AFTER_SECONDS, self._keep, (self._kept,))
        timer.name, timer.daemon = "weight-cache", True
        timer.start()
        return timer

    def _next_kept(self) -> QuantisedMatrix | None:
        try:
            return next(self._read, None)
        except weight_cache.UNUSABLE as error:
            folder = None if self._kept is None else self._kept.folder
            _log.warning("Kept weights in %s cannot be used and are made anew: %s", folder, error)
            return None

    def _keep(self, kept: KeptWeights) -> None:
        try:
            kept.write(self._packed)
        except (OSError, SafetensorError) as error:
            _log.warning("Weights are not kept for the next start: %s", error)
        else:
            _log.info("Weights are kept in %s, which makes the next start faster", kept.folder)
