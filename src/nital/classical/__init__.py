"""Classical segmenters: Otsu, adaptive threshold, Canny and two watersheds.

They are the yardstick of MatSAM's tables, need no model, and are sometimes as good as one.
"""

from nital.classical.segmenter import CLASSICAL_METHODS, classical_segment

__all__ = ["CLASSICAL_METHODS", "classical_segment"]
