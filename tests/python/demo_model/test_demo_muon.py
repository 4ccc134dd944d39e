"""The optimizer that trains the model's matrices."""

import pytest
import torch
from torch import distributed

from ttdirect.demo_model.muon import Muon, orthogonal


@pytest.fixture
def group(tmp_path):
    """A group of one process."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


@pytest.mark.parametrize("shape", [(16, 16), (16, 48), (48, 16)])
def test_large_and_small_directions_get_steps_of_similar_size(shape: tuple[int, int]):
    torch.manual_seed(1)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    uneven = left @ torch.diag(torch.logspace(0, -1, 16)) @ right
    values = torch.linalg.svdvals(orthogonal(uneven))
    assert values.max() < 1.4
    assert values.min() > 0.5


def test_it_goes_downhill(group: None):
    torch.manual_seed(2)
    matrix = torch.randn(8, 24, requires_grad=True)
    wanted = torch.randn(8, 24)
    muon = Muon([matrix])
    losses: list[float] = []
    for _ in range(200):
        loss = (matrix - wanted).square().mean()
        losses.append(loss.item())
        matrix.grad = None
        loss.backward()
        muon.step(0.05)
    assert losses[-1] < 0.1 * losses[0]
