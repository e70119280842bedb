"""gaussian_blur: smooth noise away (OpenCV's fixed-point blur of uint8, the same bytes everywhere)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, kw_only=True)
class Params:
    """Knobs of gaussian_blur."""

    kernel_px: int
    """Side of the kernel, odd, 1 to 31."""
    sigma_px: float
    """Standard deviation, above 0 to 16; OpenCV's own choice for a kernel k is 0.15 k + 0.35."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not (1 <= self.kernel_px <= 31 and self.kernel_px % 2):
            raise ValueError(f"kernel_px must be odd and lie in 1..31, not {self.kernel_px}")
        if not 0 < self.sigma_px <= 16:
            raise ValueError(f"sigma_px must be above 0 and at most 16, not {self.sigma_px}")


def apply(image: np.ndarray, params: Params) -> np.ndarray:
    """Return the blurred image, uint8 (H, W); the border is mirrored."""
    kernel = (params.kernel_px, params.kernel_px)
    return cv2.GaussianBlur(image, kernel, params.sigma_px, borderType=cv2.BORDER_REFLECT_101)
