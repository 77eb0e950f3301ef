"""Three parts of a labelled set, split by image: 6 to train, 2 to watch, 2 to test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

__all__ = ["Part", "by_hash", "three_parts"]

Part = Literal["train", "validation", "test"]
SHARE = 0.2


def by_hash(name: str) -> str:
    """Key that puts names into an order which has nothing to do with what they show."""
    return hashlib.sha256(name.encode()).hexdigest()


def three_parts(names: Sequence[str]) -> dict[str, Part]:
    """Part of each image of a set, 6:2:2 as for MatSAM's supervised baselines (section 4.4).

    The names alone decide: ordered by their SHA-256, the first fifth is the test part, the next
    fifth the validation part. Both have one image at least where there are three or more.
    """
    each = max(1, round(SHARE * len(names))) if len(names) > 2 else 0
    ordered = sorted(names, key=by_hash)
    parts: dict[str, Part] = dict.fromkeys(ordered, "train")
    parts |= dict.fromkeys(ordered[:each], "test")
    return parts | dict.fromkeys(ordered[each : 2 * each], "validation")
