"""The same masks as the mask generation of transformers, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.generator.conftest import reference_masks, specimen

from nital.generator import GeneratorOptions, generate
from nital.generator.crops import grid_points
from nital.masks.packed import PackedMasks
from nital.models.sam import SamSegmenter
from nital.prompts import PromptSet

SHARED = {"pred_iou_thresh": 0.5, "stability_score_thresh": 0.8, "stability_score_offset": 0.05}
POINTS = 6


def whole(masks: PackedMasks) -> np.ndarray:
    drawn = np.zeros((len(masks), *masks.shape), bool)
    for index in range(len(masks)):
        drawn[index][masks.place(index)] = masks.mask(index)
    return drawn


@pytest.mark.parametrize("shape", [(256, 256), (150, 231)])
def test_the_slow_way_gives_the_very_masks(sam: Any, shape: tuple[int, int]) -> None:
    image = specimen(shape)
    masks, scores = reference_masks(
        sam, image, points_per_crop=POINTS, crops_nms_thresh=0.97, **SHARED
    )
    options = GeneratorOptions(POINTS, box_nms_thresh=0.97, exact=True, **SHARED)
    found = generate(SamSegmenter("small", None, "sam", sam, fast=False), image, options)
    assert len(masks) >= 2
    assert len(found.masks) == len(masks)
    assert (whole(found.masks) != masks).mean() < 1e-4  # rounding, as batches differ in size
    np.testing.assert_allclose(found.masks.scores, scores, atol=1e-4)


def test_with_crops_too(sam: Any) -> None:
    image = specimen((200, 256))
    masks, scores = reference_masks(
        sam, image, points_per_crop=3, crops_n_layers=1, crops_nms_thresh=1.0, **SHARED
    )
    options = GeneratorOptions(
        3, crop_n_layers=1, box_nms_thresh=1.0, crop_nms_thresh=1.0, exact=True, **SHARED
    )
    found = generate(SamSegmenter("small", None, "sam", sam, fast=False), image, options)
    assert len(masks) >= 5
    np.testing.assert_allclose(np.sort(found.masks.scores), np.sort(scores), atol=1e-4)
    ours, theirs = (np.sort(m.reshape(len(m), -1).sum(1)) for m in (whole(found.masks), masks))
    np.testing.assert_allclose(ours, theirs, atol=5)  # rounding, as batches differ in size


def test_the_fast_way_keeps_the_same_masks(sam: Any) -> None:
    image = specimen((256, 256))
    options = {**SHARED, "stability_score_thresh": 0.5, "box_nms_thresh": 1.0}
    slow = generate(
        SamSegmenter("small", None, "sam", sam, fast=False),
        image,
        GeneratorOptions(POINTS, exact=True, **options),
    ).masks
    fast = generate(
        SamSegmenter("small", None, "sam", sam), image, GeneratorOptions(POINTS, **options)
    ).masks
    one, two = whole(slow), whole(fast)
    shared = (one[:, None] & two[None]).sum((2, 3))
    iou = shared / (one[:, None] | two[None]).sum((2, 3))
    for found, best in ((slow, iou.max(1)), (fast, iou.max(0))):
        sure = (found.stability > 0.85) & (found.areas > 300)  # 300: some 20 cells
        assert sure.sum() >= 8
        assert best[sure].min() >= 0.98


def test_the_decoder_is_that_of_transformers(sam: Any) -> None:
    image = specimen((256, 200))
    prompts = PromptSet.from_points(grid_points((256, 200), 4))
    plain = SamSegmenter("small", None, "sam", sam, fast=False)
    fast = SamSegmenter("small", None, "sam", sam)
    expected = plain.decode(plain.embed(image), prompts)
    found = fast.decode(fast.embed(image), prompts)
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-4 * abs(found.logits).max())
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    np.testing.assert_array_equal(found.windows, expected.windows)
