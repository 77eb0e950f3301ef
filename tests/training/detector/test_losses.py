"""Losses on objects of known geometry: every part is there, finite, and falls by training."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nital.training.detector.losses import PARTS, _mask_targets, detector_losses
from nital.training.detector.network import Detector, DetectorConfig, level_of
from nital.training.detector.samples import Crop, CropStream, make_crop
from nital.training.detector.supply import Supply


def losses_of(
    detector: Detector, crop: Crop, generator: torch.Generator | None = None
) -> dict[str, torch.Tensor]:
    generator = generator or torch.Generator().manual_seed(0)
    levels = detector.pyramid(torch.from_numpy(crop.image)[None, None])
    return detector_losses(detector, [crop], levels, generator)


def test_every_part_is_there_and_summed(detector, two_discs):
    losses = losses_of(detector, two_discs())
    assert set(losses) == {*PARTS, "total"}
    assert all(torch.isfinite(value) for value in losses.values())
    weighted = sum(
        (0.5 if name in ("certainty", "whole") else 1) * losses[name].item() for name in PARTS
    )
    assert losses["total"].item() == pytest.approx(weighted, rel=1e-5)


def test_an_empty_crop_trains_too(detector):
    image = np.random.default_rng(0).integers(0, 255, (128, 128)).astype(np.uint8)
    crop = make_crop(image, np.zeros((128, 128), np.int32))
    losses = losses_of(detector, crop)
    losses["total"].backward()
    assert torch.isfinite(losses["total"])
    assert losses["mask"].item() == 0


def test_overfitting_two_discs_lowers_every_loss(detector, two_discs):
    optimizer = torch.optim.Adam(detector.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    detector.train()
    history = []
    for _ in range(24):
        losses = losses_of(detector, two_discs(), generator)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        history.append({name: value.item() for name, value in losses.items()})
    for part in ("region", "particle", "mask", "total"):
        before = np.mean([h[part] for h in history[:5]])
        after = np.mean([h[part] for h in history[-5:]])
        assert after < 0.9 * before, part


def test_masks_hold_what_is_seen_and_the_whole_outline(two_discs):
    crop = two_discs()
    boxes = torch.tensor([[30.0, 30, 71, 71]])
    seen, whole = (m[0].numpy() for m in _mask_targets(boxes, torch.tensor([0]), crop))
    assert whole.mean() == pytest.approx(np.pi * 20**2 / 41**2, abs=0.02)
    assert seen.sum() < whole.sum()
    assert (whole >= seen).all()


def test_boxes_are_served_by_maps_that_fit_their_size():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 28, 28], [0, 0, 112, 112], [0, 0, 900, 900]])
    assert level_of(boxes, (2, 4, 8, 16), 14.0).tolist() == [0, 0, 2, 3]
    assert level_of(boxes, (2, 4, 8, 16), 28.0).tolist() == [0, 0, 1, 3]


def test_the_same_seed_gives_the_same_crops():
    streams = [iter(CropStream((3,), 64)) for _ in range(2)]
    for _ in range(3):
        one, two = (next(stream) for stream in streams)
        assert np.array_equal(one.image, two.image)
        assert np.array_equal(one.boxes, two.boxes)
        assert len(one.boxes) == len(one.numbers) == len(one.certain)


def test_a_held_backbone_gives_kept_crops_again_with_the_same_maps(detector):
    supply = Supply(detector, iter(CropStream((3,), 64)), (1,), reuse=4, most=3)
    batches = [supply.batch(2, held=True) for _ in range(12)]
    seen = {id(crop) for crops, _ in batches for crop in crops}
    assert 3 <= len(seen) < 24
    crops, levels = batches[-1]
    image = torch.from_numpy(np.stack([crop.image for crop in crops]))[:, None]
    with torch.no_grad():
        wanted = detector.pyramid(image)
    for one, two in zip(levels, wanted, strict=True):
        assert not one.requires_grad
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-3)
    _, fresh = supply.batch(2, held=False)
    assert fresh[0].requires_grad


@pytest.mark.parametrize("scale", ["low", "high"])
def test_crops_of_one_length_scale(scale):
    stream = iter(CropStream((5,), 96, length_scale=scale))
    sizes = [crop.median_diameter for crop in (next(stream) for _ in range(4)) if len(crop.boxes)]
    assert all((size < 32) is (scale == "low") for size in sizes)


def test_resnet50_learns_from_a_step(two_discs):
    config = DetectorConfig("resnet50", hidden=16, mask_depth=1, proposals=20, level_side=14.0)
    torch.manual_seed(0)
    detector = Detector(config).train()
    crop = two_discs()
    losses = losses_of(detector, crop)
    losses["total"].backward()
    assert all(torch.isfinite(losses[part]) for part in PARTS)
    for layer in (detector.pyramid.body.conv1, detector.pyramid.inner[0], detector.boxes.certainty):
        assert torch.isfinite(layer.weight.grad).all()
        assert layer.weight.grad.abs().max() > 0
