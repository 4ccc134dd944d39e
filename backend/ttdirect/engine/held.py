"""What a device goes on with by itself between steps that it samples.

In a traced step that follows another one, it feeds itself its own token at the next position, and
neither tokens nor positions of the host are read. That is right only while the host would have said
the same; this module compares, so that nothing else has to remember what may have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ttdirect.engine.device_sampling import DeviceSampling


@dataclass(frozen=True, slots=True)
class Held:
    """The device's inputs after a step that it sampled.

    Args:
        tokens: int `[B]`, those that it chose.
        positions: int `[B]`, those of the step; -1 for idle rows, which stay idle.
        page_table: int32 `[B, W]`.
        sampling: how it chose.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    page_table: torch.Tensor
    sampling: DeviceSampling

    def continues(
        self, tokens: torch.Tensor, positions: torch.Tensor, sampling: DeviceSampling
    ) -> bool:
        """Whether a step is the one that the device would do by itself.

        Not if a row has come, gone, or is somebody else's: then its position is not the next one,
        or its token not the one that the device has chosen.

        Args:
            tokens: int `[B, 1]` of the step.
            positions: int `[B]` of the step.
            sampling: how to choose in the step.
        """
        active = self.positions >= 0
        return (
            sampling == self.sampling
            and torch.equal(positions.long(), (self.positions + active).long())
            and torch.equal(tokens.reshape(-1)[active].long(), self.tokens[active].long())
        )
