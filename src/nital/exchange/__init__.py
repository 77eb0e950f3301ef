"""Labels in the files of other tools: written and read without losing a pixel."""

from __future__ import annotations

from nital.exchange.field import LabelField
from nital.exchange.formats import (
    EXCHANGE_SUFFIXES,
    FORMATS,
    Format,
    image_name,
    is_exchange_file,
    read_fields,
)

__all__ = [
    "EXCHANGE_SUFFIXES",
    "FORMATS",
    "Format",
    "LabelField",
    "image_name",
    "is_exchange_file",
    "read_fields",
]
