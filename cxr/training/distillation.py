"""A teacher's word in a student's loss: its softened scores as targets, blended with the labels.

Hinton, Vinyals & Dean 2015, "Distilling the Knowledge in a Neural Network", section 2: both raw
scores are divided by a temperature T; the divergence is multiplied by T², because its gradient
shrinks as 1/T² and a weight should mean the same at every temperature.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cxr.training.recipe import Distillation, Loss

Greys = tuple[float, float]
"""Mean and standard deviation by which grey values in 0..1 are normalised."""


class Teacher:
    """A trained network that a student follows; it stays as it is: eval mode, no gradient.

    It is shown what the student is shown: the same augmented images, normalised as its own recipe
    says. It speaks about every label, also where
    the truth is unknown (NaN).
    """

    def __init__(
        self,
        network: nn.Module,
        settings: Distillation,
        *,
        greys: tuple[Greys, Greys] | None = None,
    ) -> None:
        """Take the trained network; `greys`: by what the student's images and its own are normalised."""
        self.network, self.settings = network.eval(), settings
        self._greys = greys if greys and greys[0] != greys[1] else None

    def scores(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        """Return its raw scores (B, L) of images that are normalised for the student."""
        if self._greys is not None:
            (mean, std), (own_mean, own_std) = self._greys
            images_B1HW = (images_B1HW * std + (mean - own_mean)) / own_std
        with torch.no_grad():
            return self.network(images_B1HW)

    def blend(
        self,
        task: torch.Tensor,
        raw_BL: torch.Tensor,
        images_B1HW: torch.Tensor,
        *,
        loss: Loss,
    ) -> torch.Tensor:
        """Return (1 - weight) x `task` + weight x T² x divergence of the student's raw scores."""
        weight, temperature = self.settings.weight, self.settings.temperature
        if weight == 0:  # exactly the plain training: not even the sign of a zero may differ
            return task
        taught_BL = self.scores(images_B1HW)
        apart = divergence(taught_BL / temperature, raw_BL / temperature, loss=loss)
        return (1 - weight) * task + weight * temperature**2 * apart


def divergence(teacher_BL: torch.Tensor, student_BL: torch.Tensor, *, loss: Loss) -> torch.Tensor:
    """Return the mean Kullback-Leibler divergence of the student's scores from the teacher's.

    cross_entropy: of one distribution over the labels per image, mean over images; bce: of each
    label's present or absent, mean over images and labels. 0 where both say the same.
    """
    if loss == "cross_entropy":
        logs_BL = (student_BL.log_softmax(dim=1), teacher_BL.log_softmax(dim=1))
        return functional.kl_div(*logs_BL, reduction="batchmean", log_target=True)
    targets_BL = teacher_BL.sigmoid()
    crossed = functional.binary_cross_entropy_with_logits(student_BL, targets_BL)
    return crossed - functional.binary_cross_entropy_with_logits(teacher_BL, targets_BL)
