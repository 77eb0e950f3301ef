"""Published figures of other methods, and how far they compare with a run."""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["Published", "images_in_common", "published"]

NOT_METRICS = frozenset({"source", "table", "sets", "test_images", "images", "setting", "methods"})


@dataclass(frozen=True)
class Published:
    """Figures of one method on one data set, as printed.

    Parameters
    ----------
    method, source, table
        Whose, and where they are printed.
    sets
        Names of the data set.
    setting
        ``"tuned per dataset"``, ``"trained on the set"`` ...
    metrics
        By the names of ``nital bench``.
    images
        Names of the test images, empty where they were not published.
    test_images
        Their number; 0 where unknown.
    """

    method: str
    source: str
    table: str
    sets: tuple[str, ...]
    setting: str
    metrics: dict[str, float]
    images: tuple[str, ...]
    test_images: int

    def is_about(self, *names: str) -> bool:
        """Whether a data set of one of these names is meant; case and punctuation are ignored."""
        return bool({_plain(name) for name in names} & {_plain(name) for name in self.sets})


@cache
def published() -> tuple[Published, ...]:
    """All published figures, in the order of their tables."""
    text = importlib.resources.files("nital.evaluation").joinpath("published.toml")
    content = tomllib.loads(text.read_text(encoding="utf-8"))
    return tuple(
        Published(
            method=method,
            source=content["sources"][table["source"]]["title"],
            table=table["table"],
            sets=tuple(table["sets"]),
            setting=_setting(table, content["sources"][table["source"]], method),
            metrics={k: v[index] for k, v in table.items() if k not in NOT_METRICS},
            images=tuple(table.get("images", ())),
            test_images=table.get("test_images", 0),
        )
        for table in content["tables"]
        for index, method in enumerate(table["methods"])
    )


def _setting(table: dict[str, Any], source: dict[str, Any], method: str) -> str:
    by_method = source.get("settings", {}).get(method, source["setting"])
    return str(table.get("setting", by_method))


def images_in_common(entry: Published, names: Collection[str]) -> str:
    """Say how the images of a run compare with those of a published figure.

    Parameters
    ----------
    entry
        The figure.
    names
        File names of the images of the run, without suffix.
    """
    theirs, ours = {_plain(n) for n in entry.images}, {_plain(n) for n in names}
    shared = len(theirs & ours)
    if not shared:
        return "other images"
    if theirs == ours:
        return "same images"
    return f"{shared} of the {len(theirs)} images are the same"


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
