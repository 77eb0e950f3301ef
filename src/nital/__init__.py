"""Nital: from a micrograph to labels and to numbers that can be published."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nital.errors import NitalError
    from nital.io import read
    from nital.metrology import Measurements
    from nital.metrology.measure import measure
    from nital.micrograph import Micrograph, PixelSize
    from nital.segmentation import Segmentation, SegmentOptions, segment

_HOMES = {
    "Measurements": "nital.metrology",
    "Micrograph": "nital.micrograph",
    "NitalError": "nital.errors",
    "PixelSize": "nital.micrograph",
    "SegmentOptions": "nital.segmentation",
    "Segmentation": "nital.segmentation",
    "measure": "nital.metrology",
    "read": "nital.io",
    "segment": "nital.segmentation",
}

__all__ = [
    "Measurements",
    "Micrograph",
    "NitalError",
    "PixelSize",
    "SegmentOptions",
    "Segmentation",
    "measure",
    "read",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nital' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
