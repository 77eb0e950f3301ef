"""Settings of the generator, under the names that SAM's users know."""

from __future__ import annotations

from dataclasses import dataclass

from nital.errors import UsageError

__all__ = ["GeneratorOptions"]

_SHARES = (
    "pred_iou_thresh",
    "stability_score_thresh",
    "box_nms_thresh",
    "crop_nms_thresh",
    "mask_nms_thresh",
)
LONGEST_SIDE = 1024  # points a side beyond which there is a point for each pixel of SAM's input


@dataclass(frozen=True)
class GeneratorOptions:
    """What SAM's automatic mask generator calls its parameters, with its defaults.

    Parameters
    ----------
    points_per_side
        Points of the grid along each side of the image.
    pred_iou_thresh
        Masks are kept with a predicted IoU above this.
    stability_score_thresh, stability_score_offset
        Masks are kept whose IoU with themselves, at logits higher and lower by the offset, is above
        the threshold.
    box_nms_thresh
        IoU of boxes from which the worse of two masks of a crop goes.
    crop_n_layers
        Layers of crops beside the whole image; layer i has 2^i x 2^i crops.
    crop_nms_thresh
        IoU of boxes from which, of masks of two crops, that of the larger crop goes.
    crop_overlap_ratio
        Share of the short side by which crops of layer 1 overlap; layer i: 2^(1 - i) of it.
    crop_n_points_downscale_factor
        Points along the side of a crop of layer i are fewer by this to the power of i.
    min_mask_region_area
        Islands and holes of fewer pixels are removed.
    best_of_three
        Take the mask with the best predicted IoU of each point, as MatSAM does; else all three.
    mask_nms_thresh
        IoU of the masks themselves from which the worse of two goes, at the end; ``None``: boxes
        only.
    exact
        Enlarge every mask to the image's size before it is judged, as other generators do: slow,
        for comparison.
    """

    points_per_side: int = 32
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    min_mask_region_area: int = 0
    best_of_three: bool = False
    mask_nms_thresh: float | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.points_per_side <= LONGEST_SIDE:
            raise UsageError(
                f"the generator needs 1 to {LONGEST_SIDE} points a side, not {self.points_per_side}"
            )
        for name in _SHARES:
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"{name} must lie between 0 and 1, not {value}")
        if self.stability_score_offset < 0 or self.min_mask_region_area < 0:
            raise UsageError("stability_score_offset and min_mask_region_area must not be negative")
        if not 0 <= self.crop_n_layers <= 4:
            raise UsageError(f"layers of crops must be 0 to 4, not {self.crop_n_layers}")
        if not 0 <= self.crop_overlap_ratio < 1:
            raise UsageError(
                f"the overlap of crops must be 0 to below 1, not {self.crop_overlap_ratio}"
            )
        if self.crop_n_points_downscale_factor < 1:
            raise UsageError(
                "points of crops are fewer by a factor of 1 or more, not"
                f" {self.crop_n_points_downscale_factor}"
            )
