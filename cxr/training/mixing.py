"""Mix-up: every image is blended with another of its batch, and its loss between both images' labels.

Zhang, Cisse, Dauphin & Lopez-Paz 2018, "mixup: Beyond empirical risk minimization", ICLR, section 2,
https://arxiv.org/abs/1710.09412. As there, one share is drawn for a whole batch, and the batch is
blended with a permutation of itself. Losses are blended and not labels: an unknown label (NaN) has
no blend, and where a loss is linear in the labels it comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cxr.training import losses

_STEPS = 1024


@dataclass(frozen=True)
class Mix:
    """How one batch of B images is blended: row i with row `permutation_B[i]`."""

    share: float
    """of the image itself, 0 to 1; the rest is its partner's"""
    permutation_B: torch.Tensor

    def images(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        """Return share x images + (1 - share) x partners; features of any shape (B, ...) do as well."""
        return self.share * images_B1HW + (1 - self.share) * self._partners(images_B1HW)

    def loss(
        self, loss: losses.Loss, raw_BL: torch.Tensor, labels_BL: torch.Tensor
    ) -> torch.Tensor:
        """Return share x loss by the own labels + (1 - share) x loss by the partners' labels."""
        own, other = loss(raw_BL, labels_BL), loss(raw_BL, self._partners(labels_BL))
        return self.share * own + (1 - self.share) * other

    def _partners(self, rows: torch.Tensor) -> torch.Tensor:
        if len(rows) != len(self.permutation_B):
            raise ValueError(
                f"this mix is of {len(self.permutation_B)} images, not of {len(rows)}: draw one for each batch"
            )
        return rows[self.permutation_B]


def draw(alpha: float, *, rng: np.random.Generator, size: int) -> Mix:
    """Draw a batch's partners and its share, which is of Beta(alpha, alpha).

    A small alpha leaves most batches nearly as they are, 1 makes every share as likely as any other.
    Raises ValueError unless alpha is above 0 and the batch has an image.
    """
    if alpha <= 0 or size < 1:
        raise ValueError(
            f"mix-up needs alpha above 0 and a batch, not {alpha} and {size} images: for none, draw none"
        )
    # first, because how often beta draws anew hangs on the powers below
    permutation_B = torch.from_numpy(rng.permutation(size))
    # numpy's beta calls pow, log and exp of the machine's C library. Their last bits differ: for
    # alpha 0.2, glibc 2.36 with and without its FMA variants gives 7 other shares in 10,000. In
    # steps of 1/1024, finer than images of 256 greys can tell, none of 200,000 differed
    share = round(rng.beta(alpha, alpha) * _STEPS) / _STEPS
    return Mix(share, permutation_B)
