"""Likeness of a drawn to a filmed mouth: PSNR, SSIM, GMSD and sharpness."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]

SSIM_SIGMA_PX = 1.5
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004."""
GMSD_C = 170.0
"""Xue et al., "Gradient magnitude similarity deviation", 2014."""
PREWITT = np.array([[1, 0, -1]] * 3, np.float32) / 3


def squared_error(drawn: Picture, true: Picture, mask: Mask) -> float:
    """Return the mean squared error of the channels in a mask."""
    return float(((drawn[mask] - true[mask]) ** 2).mean())


def psnr_db(squared: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error."""
    return float(10 * np.log10(255**2 / max(squared, 1e-9)))


def ssim(drawn: Picture, true: Picture, mask: Mask) -> float:
    """Return the mean structural similarity of the brightness in a mask."""
    a, b = grey(drawn), grey(true)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    similar = (2 * mean_a * mean_b + SSIM_C1) * (2 * both + SSIM_C2)
    similar /= (mean_a**2 + mean_b**2 + SSIM_C1) * (var_a + var_b + SSIM_C2)
    return float(similar[mask].mean())


def gmsd(drawn: Picture, true: Picture, mask: Mask) -> float:
    """Return the deviation of the similarity of gradients in a mask; 0 for equal pictures."""
    a, b = gradient(grey(drawn)), gradient(grey(true))
    similar = (2 * a * b + GMSD_C) / (a**2 + b**2 + GMSD_C)
    return float(similar[mask].std())


def sharpness(picture: Picture, mask: Mask) -> float:
    """Return the RMS of the brightness' Laplacian in a mask."""
    laplacian = np.asarray(cv2.Laplacian(grey(picture), cv2.CV_32F))
    return float(np.sqrt((laplacian[mask] ** 2).mean()))


def grey(picture: Picture) -> Picture:
    """(h, w) brightness."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)


def blur(values: Picture) -> Picture:
    """Return the local mean."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SSIM_SIGMA_PX), np.float32)


def gradient(values: Picture) -> Picture:
    """(h, w) magnitude of the gradient."""
    across = cv2.filter2D(values, cv2.CV_32F, PREWITT)
    down = cv2.filter2D(values, cv2.CV_32F, PREWITT.T)
    return np.asarray(np.hypot(across, down), np.float32)
