"""The moving average of a network's weights over its training steps.

Its memory is short at first and grows to what the recipe says, as that of TensorFlow's
ExponentialMovingAverage does with `num_updates`.
"""

from __future__ import annotations

import copy

import torch

from cxr.training.network import Network


class Average:
    """Exponential moving average of all floating-point tensors; with decay 0 the network itself."""

    def __init__(self, network: Network, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.network = copy.deepcopy(network) if decay else network

    def update(self, network: Network) -> None:
        """Take in the weights after a step."""
        if not self.decay:
            return
        self.updates += 1
        # a short memory at first, else the random start would weigh on for 1 / (1 - decay) steps
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            current = network.state_dict()
            for name, kept in self.network.state_dict().items():
                if kept.is_floating_point():
                    kept.lerp_(current[name], 1 - decay)
                else:
                    kept.copy_(current[name])

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return a copy of the weights as they stand."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
