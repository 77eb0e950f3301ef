"""Reading micrographs and label images, and writing results."""

from __future__ import annotations

from nital.io.labels import read_labels
from nital.io.reader import FOLDER_SUFFIXES, IMAGE_SUFFIXES, read, read_pixel_size
from nital.io.units import parse_pixel_size
from nital.io.write import atomic_write, write_label_tiff

__all__ = [
    "FOLDER_SUFFIXES",
    "IMAGE_SUFFIXES",
    "atomic_write",
    "parse_pixel_size",
    "read",
    "read_labels",
    "read_pixel_size",
    "write_label_tiff",
]
