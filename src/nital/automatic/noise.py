"""Noise that drowns the structure, measured on the image itself and taken away before the model.

Noise of a detector differs from one pixel to the next as much as from a pixel to any other, so it
is seen in second differences, and half of it is left in means of two by two pixels. Fine structure
is not like that: it is no weaker, or altogether gone, in those means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nital.automatic.resample import halved
from nital.models.tiles import standardise

__all__ = ["noise_level", "without_noise"]

NOISY = 0.6
"""Noise, in standard deviations of what is left of the image without it, from which it is taken
away; the model was trained on less."""
WHITE = (0.7, 1.4)  # noise of two by two pixels over half that of single ones, if it is noise
SECOND = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6


def noise_level(image: NDArray[np.float32]) -> float:
    """Standard deviation of the white noise in an (H, W) image, in its unit; 0 where it is none.

    From the median of second differences both ways, which flat and tilted grey levels do not have
    (J. Immerkaer, Comput. Vis. Image Underst. 64 (1996) 300, with a median in place of the mean).
    """
    rows, columns = (side // 2 * 2 for side in image.shape)
    if min(rows, columns) < 8:
        return 0.0
    single = _second_differences(image)
    double = _second_differences(halved(image[:rows, :columns]))
    if single <= 0 or not WHITE[0] <= 2 * double / single <= WHITE[1]:
        return 0.0
    return single


def without_noise(image: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Take away noise that is strong beside what the image shows.

    Parameters
    ----------
    image
        (H, W) float32 of zero mean and unit variance.

    Returns
    -------
    image
        (H, W) float32 of zero mean and unit variance: the total variation lowered as far as the
        noise goes where that is strong, else the image itself.
    noise
        Share of the standard deviation that was taken for noise; 0 where nothing was done.
    """
    noise = noise_level(image)
    shown = float(np.sqrt(max(image.var() - noise**2, 1e-9)))
    if noise < NOISY * shown:
        return image, 0.0
    from skimage.restoration import denoise_tv_chambolle

    return standardise(denoise_tv_chambolle(image, weight=noise)), noise


def _second_differences(image: NDArray[np.floating]) -> float:
    """Standard deviation of noise that would explain the second differences."""
    left = ndimage.convolve(image, SECOND, mode="reflect")[1:-1, 1:-1]
    return 1.4826 * float(np.median(np.abs(left)))
