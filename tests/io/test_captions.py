"""Captions are found and painted over; particles, lamellae and grains are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from nital.io.captions import find_captions, paint_over, without_letters

SHAPE = (300, 400)


def specimen(seed: int = 0) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 4)
    return np.clip(115 + 15 * field / field.std(), 70, 160).astype(np.uint8)


def written(
    pixels: np.ndarray, text: str, at: tuple[int, int], size: int = 18, ink: int = 255
) -> np.ndarray:
    canvas = Image.fromarray(pixels.copy())
    ImageDraw.Draw(canvas).text(
        (at[1], at[0]), text, fill=ink, font=ImageFont.load_default(size=size)
    )
    return np.array(canvas)


@settings(max_examples=25, deadline=None)
@given(
    text=st.sampled_from(["200 nm", "SE 10.0kV", "Fe3O4 x25k", "S-4800 25.0kV", "500nm"]),
    row=st.integers(10, 240),
    column=st.integers(5, 100),
    size=st.integers(20, 36),
    ink=st.sampled_from([0, 255]),
)
def test_text_is_found_where_it_stands(
    text: str, row: int, column: int, size: int, ink: int
) -> None:
    plain = specimen()
    drawn = written(plain, text, (row, column), size, ink)
    changed = np.abs(drawn.astype(int) - plain) > 60
    found = find_captions(drawn)
    assert (found & changed).sum() > 0.9 * changed.sum()
    assert (found & ~ndimage.binary_dilation(changed, iterations=4)).sum() < 0.2 * found.sum()


def test_painted_over_the_specimen_is_as_it_was_beside_the_text() -> None:
    plain = specimen()
    drawn = written(plain, "x 25.0k 500 nm", (260, 40))
    ink = find_captions(drawn)
    painted = paint_over(drawn.astype(np.float32), ink)
    changed = painted != drawn
    assert np.abs(drawn.astype(int) - plain)[changed].max() > 100
    assert np.abs(painted - plain).max() < 60
    assert not changed[~ndimage.binary_dilation(ink, iterations=4)].any()
    assert np.array_equal(paint_over(painted, np.zeros(SHAPE, dtype=bool)), painted)


def test_objects_on_letters_go_and_others_stay() -> None:
    drawn = written(specimen(), "x 25.0k 500 nm", (260, 40))
    rows, columns = np.indices(SHAPE)
    labels = np.zeros(SHAPE, dtype=np.int32)
    labels[np.hypot(rows - 100, columns - 200) < 30] = 1
    labels[np.hypot(rows - 250, columns - 90) < 40] = 2  # a large one with text across it
    letters, count = ndimage.label(np.abs(drawn.astype(int) - specimen()) > 60)
    labels[letters > 0] = letters[letters > 0] + 2
    kept, dropped = without_letters(labels, drawn)
    assert dropped == count
    assert np.unique(kept).tolist() == [0, 1, 2]
    assert (kept[labels <= 2] == labels[labels <= 2]).all()


def test_without_captions_labels_are_the_same() -> None:
    labels = np.arange(SHAPE[0] * SHAPE[1], dtype=np.int32).reshape(SHAPE)
    assert without_letters(labels, specimen()) == (labels, 0)


def test_a_scale_bar_goes_with_its_number_but_not_alone() -> None:
    alone = specimen()
    alone[280:285, 280:370] = 255
    assert not find_captions(alone).any()
    both = written(alone, "100 nm", (255, 290))
    assert find_captions(both)[282, 300:360].all()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_other_depths_than_eight_bits(dtype: type) -> None:
    drawn = written(specimen(), "200 nm", (20, 20)).astype(dtype) * 200
    drawn[290, 390] = 0
    assert find_captions(drawn).sum() > 300


def test_what_is_no_caption() -> None:
    plain = specimen()
    assert not find_captions(plain).any()
    rows, columns = np.indices(SHAPE)
    discs = np.where(np.hypot(rows % 30 - 15, columns % 30 - 15) < 9, 255, 60).astype(np.uint8)
    lamellae = np.where(columns % 12 < 6, 255, 0).astype(np.uint8)
    rods = np.full(SHAPE, 60, dtype=np.uint8)
    rods[100:125, 20:380:14] = rods[100:125, 21:380:14] = 190
    for structure in (discs, lamellae, rods, np.full(SHAPE, 255, dtype=np.uint8)):
        assert not find_captions(structure).any()
