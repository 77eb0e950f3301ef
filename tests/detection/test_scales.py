"""Which detector is asked at which magnification."""

from __future__ import annotations

import pytest

from nital.detection.scales import is_detector, length_scale, load_detectors
from nital.errors import ModelError


@pytest.mark.parametrize(
    ("magnification", "natural", "which", "why"),
    [
        (9_999.0, 0.2, "low", "9,999x"),
        (10_000.0, 2.0, "high", "10,000x"),
        (None, 0.5, "high", "large in the image"),
        (None, 1.0, "low", "small in the image"),
    ],
)
def test_the_magnification_decides_or_the_image(magnification, natural, which, why) -> None:
    chosen, reason = length_scale(magnification, natural)
    assert chosen == which
    assert why in reason


def test_a_folder_without_a_detector_is_none(tmp_path) -> None:
    (tmp_path / "low").mkdir()
    (tmp_path / "low" / "detector.json").write_text("{}")
    assert not is_detector(str(tmp_path))
    with pytest.raises(ModelError, match="cannot be read"):
        load_detectors(str(tmp_path / "gone"))
    (tmp_path / "high").mkdir()
    (tmp_path / "high" / "detector.json").write_text("{}")
    assert is_detector(str(tmp_path))
