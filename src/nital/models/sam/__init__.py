"""The Segment Anything family, with the extra ``nital[sam]``; importing it loads torch."""

from nital.models.sam.model import SamSegmenter

__all__ = ["SamSegmenter"]
