"""Screening: known areas, grey levels and shapes; the automatic one on specimens with dirt."""

from __future__ import annotations

import numpy as np
import pytest

from nital.errors import UsageError
from nital.generator.limits import Limits, parse_limits
from nital.generator.screening import describe, screen, screen_automatically
from nital.masks.packed import PackedMasks


def some() -> tuple[PackedMasks, np.ndarray]:
    """A square, a disc and a needle on an image whose grey level is its column."""
    labels = np.zeros((100, 200), np.int32)
    labels[10:30, 10:30] = 1
    rows, cols = np.mgrid[:100, :200]
    labels[np.hypot(rows - 60, cols - 100) < 20] = 2
    labels[80:82, 140:180] = 3
    return PackedMasks.of_labels(labels), np.tile(np.arange(200, dtype=np.uint8), (100, 1))


def test_features_of_known_shapes() -> None:
    masks, image = some()
    found = describe(masks, image)
    assert found.area_px.tolist() == [400, (masks.areas)[1], 80]
    np.testing.assert_allclose(found.mean_intensity, [19.5, 100, 159.5])
    np.testing.assert_allclose(found.texture[0], np.arange(10, 30).std())
    assert found.circularity[1] == pytest.approx(1.0, abs=0.05)
    assert found.circularity[2] < 0.4
    assert found.circularity[0] < 0.97
    np.testing.assert_allclose(found.extent[[0, 2]], 1)
    assert found.extent[1] == pytest.approx(np.pi / 4, abs=0.05)
    np.testing.assert_allclose(found.contrast, 0, atol=0.5)


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (Limits(), [0, 1, 2]),
        (Limits(area_px=(100, None)), [0, 1]),
        (Limits(area_um2=(None, 101)), [0, 2]),
        (Limits(mean_intensity=(50, 120)), [1]),
        (Limits(circularity=(None, 0.5)), [2]),
        (Limits(extent=(0.9, None)), [0, 2]),
        (Limits(texture=(None, 10)), [0, 1]),
    ],
)
def test_given_limits(limits: Limits, left: list[int]) -> None:
    masks, image = some()
    keep = screen(masks, describe(masks, image), limits, pixel_size=0.5)
    assert np.flatnonzero(keep).tolist() == left


def test_square_micrometres_need_a_scale() -> None:
    masks, image = some()
    with pytest.raises(UsageError, match="say --pixel-size"):
        screen(masks, describe(masks, image), Limits(area_um2=(1, None)))


def test_dirt_ground_and_gaps_go_by_themselves() -> None:
    labels = np.zeros((200, 200), np.int32)
    for number in range(16):
        row, col = 10 + 48 * (number // 4), 10 + 48 * (number % 4)
        labels[row : row + 20, col : col + 20] = number + 1
    image = np.where(labels > 0, 180.0, 60.0)
    image[34:54, 34:54] = 10
    boxes = [[p // 4 * 48 + 10, p % 4 * 48 + 10] for p in range(16)]
    corners = [[r, c, r + 20, c + 20] for r, c in boxes]
    corners += [[0, 0, 200, 200], [60, 60, 62, 62], [84, 84, 88, 89], [34, 34, 54, 54]]
    masks = PackedMasks.pack(
        (200, 200), np.array(corners), [np.ones((c[2] - c[0], c[3] - c[1]), bool) for c in corners]
    )
    keep, log = screen_automatically(masks, describe(masks, image), "particles", float(image.std()))
    assert keep.tolist() == [True] * 16 + [False] * 4
    assert [entry["count"] for entry in log] == [1, 1, 1, 1]
    keep, _ = screen_automatically(masks, describe(masks, image), "phases", float(image.std()))
    assert keep.tolist() == [True] * 17 + [False, True, True]


def test_limits_as_typed() -> None:
    typed = ["area=0.5..20um2", "circularity=.. 0.6", "intensity=1e2..", "texture=3..3"]
    assert parse_limits(typed) == Limits(
        area_um2=(0.5, 20), circularity=(None, 0.6), mean_intensity=(100, None), texture=(3, 3)
    )
    assert parse_limits(["area=5..70px"]) == parse_limits(["area=5..70"]) == Limits(area_px=(5, 70))
    assert parse_limits(["area=..2.5µm²"]) == Limits(area_um2=(None, 2.5))
    assert parse_limits([]) == Limits()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["colour=1..2"], "the features are area, intensity"),
        (["area=5"], "not of the form"),
        (["area=.."], "needs numbers"),
        (["area=a..9"], "needs numbers"),
        (["area=1..9nm2"], "needs numbers"),
        (["circularity=0.9..0.2"], "keeps nothing"),
        (["extent=0.1..", "extent=..0.9"], "names extent twice"),
    ],
)
def test_limits_that_cannot_be_read(typed: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_limits(typed)
