"""The square root is IEEE's, here and where torch's own is not, and stands in an exported graph."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cxr import exact, seeding


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_root_is_correctly_rounded(dtype):
    values = seeding.stream(3, "test", "exact").random(100_003)
    tensor = torch.from_numpy(np.concatenate([[0.0, 1.0, np.inf], values])).to(dtype)
    wanted = np.array([math.sqrt(x) for x in tensor.tolist()]).astype(tensor.numpy().dtype)
    assert exact.square_root(tensor).numpy().tobytes() == wanted.tobytes()


def test_its_shape_and_an_empty_one_stay():
    assert exact.square_root(torch.ones(2, 3, 4)).shape == (2, 3, 4)
    assert exact.square_root(torch.ones(0, 3)).shape == (0, 3)


def test_in_an_exported_graph_it_is_an_operator():
    class Root(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return exact.square_root(values)

    program = torch.export.export(Root(), (torch.ones(3),))
    assert "sqrt" in str(program.graph)


def test_adamw_of_the_loop_takes_exact_roots():
    """One step from zero: the weight moves by the learning rate times g / (sqrt(g²) + eps)."""
    gradient = torch.from_numpy(seeding.stream(4, "test", "exact").normal(size=4099)).float()
    weights = torch.zeros(4099, requires_grad=True)
    optimizer = torch.optim.AdamW([weights], lr=1.0, betas=(0.0, 0.0), eps=0.0, weight_decay=0.0, fused=True)  # fmt: skip
    weights.grad = gradient
    optimizer.step()
    squares = (gradient * gradient).numpy()
    wanted = -gradient.numpy() / np.sqrt(squares)
    assert np.abs(weights.detach().numpy() - wanted).max() <= np.float32(2**-23)
