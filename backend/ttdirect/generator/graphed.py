"""A decoder whose decode step has fixed shapes, so that it can be captured once and replayed.

A GPU computes a step faster than Python can ask for its operations one by one; a captured step is
asked for as a whole. What a captured step reads and writes lies in the same place every time.

Every step computes the full batch, idle rows included, so its products have the same shapes and
with them the same kernels whoever is in it; see `segments` for attention. Idle rows write to
block 0. Prompts go through `Transformer`, a tile at a time, so their products have one shape too.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch

from ttdirect.generator.attention import TILE
from ttdirect.generator.segments import attend_step, plan_step, segment_ends
from ttdirect.generator.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ttdirect.generator.config import LayerSpec, ModelSpec
    from ttdirect.generator.decoders import Limits
    from ttdirect.generator.kv_cache import KVCache
    from ttdirect.generator.linear import Linear
    from ttdirect.generator.transformer import Weights

    Step: TypeAlias = Callable[[], Tensor]
    """Computes a step from where its inputs lie, and returns the logits of the full batch."""
    Capture: TypeAlias = Callable[[Step], Step]
    """Records a step, and returns what replays it: always into the same tensor."""


class GraphedTransformer(Transformer):
    """A loaded model as `Transformer`, on any device, whose decode step is replayed.

    Args:
        spec: the model's sizes.
        weights: on the device that computes.
        limits: the rows of every decode step, the longest text, and the cache's block size.
        capture: `cuda.GraphCapture()`.
    """

    chunk = TILE

    def __init__(
        self, spec: ModelSpec, weights: Weights[Linear], limits: Limits, capture: Capture
    ) -> None:
        super().__init__(spec, weights, limits.max_batch_size, limits.max_seq_len, quantum=TILE)
        self._rows = limits.max_batch_size
        self._block_size = limits.pool.block_size
        self._ends = segment_ends(limits.max_seq_len, self._block_size)
        self._capture = capture
        self._captured: tuple[KVCache, list[Step]] = ([], [])
        # A row is its token, its position and its page table; pinned memory travels fastest.
        self._is_pinned = self.device.type == "cuda"
        shape = (self._rows, 2 + self._ends[-1])
        self._staged = torch.zeros(shape, dtype=torch.int64, pin_memory=self._is_pinned)
        self._inputs = torch.zeros(shape, dtype=torch.int64, device=self.device)

    def prefill(
        self, tokens: Tensor, start: int, table: Tensor, kv_cache: KVCache, *, scribbles: bool
    ) -> Tensor:
        """As `Transformer.prefill`, from and to the CPU."""
        tokens, table = tokens.to(self.device), table.to(self.device)
        return super().prefill(tokens, start, table, kv_cache, scribbles=scribbles).to("cpu")

    @torch.inference_mode()
    def decode(
        self, tokens: list[int], positions: list[int], tables: Tensor, kv_cache: KVCache
    ) -> Tensor:
        """As `Transformer.decode`, from and to the CPU."""
        if self._captured[0] is not kv_cache:
            self.capture(kv_cache)
        rows, width = len(tokens), min(tables.shape[1], self._ends[-1])
        self._staged.zero_()
        self._staged[:rows, 0] = torch.tensor(tokens)
        self._staged[:rows, 1] = torch.tensor(positions)
        self._staged[:rows, 2 : 2 + width] = tables[:, :width]
        self._inputs.copy_(self._staged, non_blocking=True)
        columns = max(positions) // self._block_size + 1
        replay = self._captured[1][bisect_left(self._ends, columns)]
        logits = replay()[:rows]
        # This copy waits for the step, so what was staged is free again afterwards.
        return torch.empty(logits.shape, pin_memory=self._is_pinned).copy_(logits)

    @torch.inference_mode()
    def capture(self, kv_cache: KVCache) -> None:
        """Record the step for each number of segments, on this cache; all rows are idle."""
        self._inputs.zero_()
        counts = range(1, len(self._ends) + 1)
        # The largest first: the others then fit into the memory that it has taken.
        steps = [
            self._capture(partial(self._step, kv_cache, self._ends[:count]))
            for count in reversed(counts)
        ]
        self._captured = (kv_cache, steps[::-1])

    def _step(self, kv_cache: KVCache, ends: tuple[int, ...]) -> Tensor:
        """Compute the rows in `_inputs`; return logits, float32 `[max_batch_size, vocab_size]`."""
        tokens, positions, tables = self._inputs[:, 0], self._inputs[:, 1], self._inputs[:, 2:]
        plans = {
            window: plan_step(positions, tables, kv_cache[0][0], window, ends)
            for window in self._windows
        }

        def attend(index: int, layer: LayerSpec, queries: Tensor) -> Tensor:
            return attend_step(queries, kv_cache[index], plans[layer.window])

        hidden = self._forward(
            tokens,
            positions,
            kv_cache,
            {window: plan.written for window, plan in plans.items()},
            attend,
            quantum=1,
        )
        return self._logits(hidden, quantum=1)
