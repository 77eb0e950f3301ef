from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from nital.io.databar import find_data_bar

DATA = Path(__file__).parents[3] / "shared" / "data"
TEXT = "HV 15.00 kV | WD 5.1 mm | mag 10 000 x | det ETD | HFW 20.7 um"


def specimen(height: int, width: int, mean: float = 110, spread: float = 25) -> NDArray[np.uint8]:
    """Blurred noise with fine noise on top, as an etched surface looks."""
    rng = np.random.default_rng(7)
    coarse = ndimage.gaussian_filter(rng.normal(size=(height, width)), 6)
    grey = mean + spread * coarse / coarse.std() + rng.normal(0, 6, (height, width))
    return np.clip(grey, 0, 255).astype(np.uint8)


def add_bar(
    pixels: NDArray[np.uint8], rows: int, ground: int, ink: int, rule: int | None = None
) -> NDArray[np.uint8]:
    """Paint a bar over the last rows: text, a scale bar with ticks, maybe a rule at its top."""
    height, width = pixels.shape
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    top = height - rows
    draw.rectangle((0, top, width, height), fill=ground)
    size = max(9, min(rows // 3, width // 45))
    font = ImageFont.load_default(size)
    draw.text((width // 50, top + rows // 3), TEXT, fill=ink, font=font)
    left, middle = int(0.75 * width), top + rows // 2
    draw.line((left, middle, width - 20, middle), fill=ink, width=2)
    for end in (left, width - 20):
        draw.line((end, middle - 4, end, middle + 4), fill=ink, width=2)
    if rule is not None:
        draw.line((0, top, width, top), fill=rule, width=2)
    return np.asarray(image)


@pytest.mark.parametrize("shape", [(943, 1024), (768, 1024), (512, 640), (1536, 2048)])
@pytest.mark.parametrize(
    ("ground", "ink", "rule"), [(0, 255, None), (255, 0, None), (60, 240, None), (0, 255, 255)]
)
@pytest.mark.parametrize("share", [0.05, 0.08, 0.15])
def test_bars_are_found_to_the_row(
    shape: tuple[int, int], ground: int, ink: int, rule: int | None, share: float
) -> None:
    rows = int(share * shape[0])
    row = find_data_bar(add_bar(specimen(*shape), rows, ground, ink, rule))
    assert row is not None
    assert abs(row - (shape[0] - rows)) <= (0 if rule is None else 2)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_grey_scale_does_not_matter(dtype: str) -> None:
    image = add_bar(specimen(768, 1024), 60, 0, 255).astype(np.float64)
    scaled = image * 3e-9 if dtype == "float32" else image * 40
    assert find_data_bar(scaled.astype(dtype)) == 708


def test_a_deep_specimen_under_a_saturated_bar() -> None:
    """16 bits: the specimen fills a small part of the range, the bar's text all of it."""
    image = add_bar(specimen(768, 1024), 60, 0, 255).astype(np.uint16)
    image[:708] = 2000 + image[:708] * 4
    image[708:] *= 257
    assert find_data_bar(image) == 708


def test_a_resampled_jpeg_keeps_its_bar(tmp_path: Path) -> None:
    image = Image.fromarray(add_bar(specimen(943, 1024), 60, 0, 255))
    image.resize((724, 667), Image.Resampling.LANCZOS).save(tmp_path / "small.jpg", quality=85)
    with Image.open(tmp_path / "small.jpg") as small:
        row = find_data_bar(np.asarray(small))
    assert row is not None
    assert row in (623, 624, 625)


def test_a_very_wide_image() -> None:
    assert find_data_bar(add_bar(specimen(400, 20_000), 40, 0, 255)) == 360


@pytest.mark.parametrize("noise", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("substrate", [0, 8, 40, 250])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_a_flat_substrate_of_a_layer_stack_is_no_bar(
    noise: float, substrate: int, share: float
) -> None:
    rng = np.random.default_rng(0)
    image = np.repeat(np.repeat([90, 180, 130, 60, 200, 110, 160, 80], 96), 1024).reshape(768, 1024)
    image[768 - int(share * 768) :] = substrate
    grey = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)
    assert find_data_bar(grey) is None


def test_a_scale_bar_alone_is_no_data_bar() -> None:
    image = specimen(768, 1024)
    image[700:708, 800:980] = 255
    image[715:745, 840:940] = np.where(np.arange(100) % 9 < 4, 255, 110)[None, :]
    assert find_data_bar(image) is None


def test_particles_on_a_black_or_white_ground_are_no_bar() -> None:
    rng = np.random.default_rng(2)
    dots = ndimage.gaussian_filter((rng.random((768, 1024)) < 0.0015).astype(float), 3)
    particles = np.where(dots > 0.25 * dots.max(), 220, 0).astype(np.uint8)
    assert find_data_bar(particles) is None
    assert find_data_bar(255 - particles) is None


def test_an_empty_margin_is_no_bar() -> None:
    image = specimen(768, 1024)
    image[700:] = 255
    assert find_data_bar(image) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (63, 500), (500, 63), (64, 64), (65, 64)])
@pytest.mark.parametrize("value", [0, 255])
def test_small_and_constant_images_have_no_bar(shape: tuple[int, int], value: int) -> None:
    assert find_data_bar(np.full(shape, value, np.uint8)) is None


def test_ordinary_images_have_no_bar() -> None:
    for mean in (20, 110, 235):
        assert find_data_bar(specimen(512, 512, mean)) is None


SEEN_BARS = """
07330c8ea1 1b3c6536a3 1ecd5c901c 21308b3614 245e1a4826 2bc87a8698 2e4a3ab627 3027f9ffe7 31f17306c8
37ce835fb2 39dda96b25 406d70e411 427ebc9e15 4628753cd8 47286679c2 555eb05b4c 60feb7de8f 7e85b64066
7ecd3c2ab9 8d7fc4c578 8e1269eba3 a1dada3898 a4027c076c a492171fa8 af124a45d9 b23c478d84 b452204939
bc5529f7ca c36b04376a c984680063 d04d7ced9f d29d644539 e853d120fa ea71fe4650 eed04b7d68 ef6bbe7612
f8a1b2bf39 fcc97c015c fd1f58d925
"""


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real micrographs beside the repository")
def test_on_real_micrographs_exactly_the_bars_seen_by_eye_are_found() -> None:
    found = []
    for path in sorted(DATA.glob("*/images/*.png")):
        with Image.open(path) as image:
            if find_data_bar(np.asarray(image.convert("L"))) is not None:
                found.append(path.stem)
    assert found == SEEN_BARS.split()
