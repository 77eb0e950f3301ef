"""Polycrystals: from masks or lines to closed grain boundaries one pixel wide, and to grains."""

from nital.masks.labels import grains_between
from nital.polycrystals.completion import CompletionOptions, complete_boundaries
from nital.polycrystals.grains import split_by_completed_boundaries
from nital.polycrystals.lines import boundaries_from_masks, close_gaps, thin_lines
from nital.polycrystals.scratches import ScratchOptions, find_scratches, merge_across_scratches

__all__ = [
    "CompletionOptions",
    "ScratchOptions",
    "boundaries_from_masks",
    "close_gaps",
    "complete_boundaries",
    "find_scratches",
    "grains_between",
    "merge_across_scratches",
    "split_by_completed_boundaries",
    "thin_lines",
]
