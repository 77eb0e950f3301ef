"""Label sets against each other: analytic sizes, agreement, Bland-Altman, files and bad input."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nital.errors import InputError, UsageError
from nital.evaluation.agreement import bland_altman, compare_image, image_sizes, summarise_sizes
from nital.evaluation.compare import as_dict, compare_sets, write_comparison
from nital.evaluation.compare_plots import differences_svg
from nital.evaluation.label_sets import find_sets
from nital.io import write_label_tiff
from nital.micrograph import PixelSize


def discs(radius: float, shape: tuple[int, int] = (200, 200), pitch: int = 40) -> np.ndarray:
    """Discs of one radius on a lattice, none at the edge, numbered from 1."""
    rows, columns = np.indices(shape)
    near = np.hypot(rows % pitch - pitch / 2, columns % pitch - pitch / 2) <= radius
    numbers = 1 + rows // pitch * (shape[1] // pitch) + columns // pitch
    return np.where(near, numbers, 0).astype(np.int32)


def save(folder: Path, images: dict[str, np.ndarray], scale: float | None = None) -> Path:
    folder.mkdir(parents=True)
    size = None if scale is None else PixelSize(scale, "test")
    for stem, labels in images.items():
        write_label_tiff(folder / f"{stem}.tif", labels, size)
    return folder


def test_equal_sets_agree_wholly() -> None:
    pair = compare_image(discs(12), discs(12))
    assert (pair.aji_plus, pair.f1, pair.median_difference) == (1, 1, 0)
    assert np.array_equal(pair.first, pair.second)


def test_larger_outlines_are_a_bias() -> None:
    small, large = discs(10), discs(12)
    pair = compare_image(small, large)
    found = bland_altman(pair.first, pair.second)
    areas = [np.count_nonzero(each) for each in (small, large)]
    first, second = np.sqrt(areas)
    assert found is not None
    assert found.pairs == 25
    assert found.bias == pytest.approx(2 * (second - first) / (first + second))
    assert found.limits == pytest.approx((found.bias, found.bias))
    assert pair.aji_plus == pytest.approx(areas[0] / areas[1])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), bias=st.floats(-0.2, 0.2))
def test_bland_altman_is_antisymmetric_and_finds_the_bias(seed: int, bias: float) -> None:
    rng = np.random.default_rng(seed)
    first = rng.lognormal(2, 0.3, 60)
    second = first * (1 + bias / 2) / (1 - bias / 2)
    there, back = bland_altman(first, second), bland_altman(second, first)
    assert there is not None
    assert back is not None
    assert there.bias == pytest.approx(bias, abs=1e-9)
    assert back.bias == pytest.approx(-there.bias, abs=1e-12)
    assert there.limits[0] <= there.bias <= there.limits[1]


def test_limits_need_three_pairs() -> None:
    assert bland_altman(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None


def test_sizes_leave_out_the_edge_and_weigh_the_rest() -> None:
    labels = discs(9)
    labels[:3, :50] = 99
    found = image_sizes(labels)
    assert found.count == 26
    assert found.diameter.size == 25
    assert found.diameter == pytest.approx(18, rel=0.03)
    assert (found.weight > 1).all()
    summary = summarise_sizes([found])
    assert summary.d50 is not None
    assert summary.d50[0] == pytest.approx(18, rel=0.03)


def test_lengths_scale_with_the_pixel_size(tmp_path: Path) -> None:
    one = save(tmp_path / "one", {"a": discs(10)}, 0.5)
    two = save(tmp_path / "two", {"a": discs(11)}, 0.5)
    facts = as_dict(compare_sets(find_sets([one, two])))
    doubled = as_dict(compare_sets(find_sets([one, two]), PixelSize(1.0, "given")))
    assert facts["unit"] == "um"
    ratio = doubled["sets"][0]["ecd_d50"]["value"] / facts["sets"][0]["ecd_d50"]["value"]
    assert ratio == pytest.approx(2)
    assert doubled["agreement"][0]["bland_altman"]["bias"] == pytest.approx(
        facts["agreement"][0]["bland_altman"]["bias"]
    )


def test_files_are_written_and_say_what_is_missing(tmp_path: Path) -> None:
    first = save(tmp_path / "anna", {"a": discs(10), "b": discs(8)})
    second = save(tmp_path / "ben", {"a": discs(11), "b": np.zeros((200, 200), np.int32)})
    third = save(tmp_path / "cy", {"a": discs(10)})
    (second / "seconds.csv").write_text("image,seconds\na.tif,90\nb,30\n")
    comparison = compare_sets(find_sets([first, second, third]))
    write_comparison(tmp_path / "out", comparison, "nital compare")
    facts = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [row["name"] for row in facts["sets"]] == ["anna", "ben", "cy"]
    assert facts["sets"][1]["seconds_per_image"] == 60
    assert facts["unit"] == "px"
    assert any("ben holds no object" in line for line in facts["warnings"])
    assert any("cy has no labels of it" in line for line in facts["warnings"])
    assert len(facts["agreement"]) == 3
    with (tmp_path / "out" / "compare.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == 4
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<svg") == 4


def test_results_of_a_run_bring_their_seconds(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "a").mkdir(parents=True)
    write_label_tiff(run / "a" / "labels.tif", discs(10), None)
    entry = {"path": "a.png", "folder": "a", "outcome": "done", "seconds": 1.5}
    (run / "run.json").write_text(json.dumps({"inputs": [entry]}))
    other = save(tmp_path / "other", {"a": discs(10)})
    comparison = compare_sets(find_sets([run, other]))
    assert comparison.seconds_of(comparison.sets[0]) == 1.5
    assert comparison.seconds_of(comparison.sets[1]) is None


def test_two_empty_sets_agree(tmp_path: Path) -> None:
    empty = np.zeros((50, 60), np.int32)
    paths = [save(tmp_path / name, {"a": empty}) for name in ("one", "two")]
    comparison = compare_sets(find_sets(paths))
    write_comparison(tmp_path / "out", comparison, "nital compare")
    facts = as_dict(comparison)
    assert facts["agreement"][0]["aji_plus"]["value"] == 1
    assert facts["sets"][0]["ecd_d50"] is None


def test_bad_sets_are_named(tmp_path: Path) -> None:
    one = save(tmp_path / "one", {"a": discs(10)})
    other = save(tmp_path / "two", {"b": discs(10)})
    small = save(tmp_path / "small", {"a": discs(10)[:100]})
    (tmp_path / "bare").mkdir()
    with pytest.raises(UsageError, match="at least two"):
        find_sets([one])
    with pytest.raises(UsageError, match="different names"):
        find_sets([one, other], ["x", "x"])
    with pytest.raises(UsageError, match="twice"):
        find_sets([one, one])
    with pytest.raises(InputError, match="no such file"):
        find_sets([one, tmp_path / "gone"])
    with pytest.raises(InputError, match="neither label images"):
        find_sets([one, tmp_path / "bare"])
    with pytest.raises(InputError, match="same name"):
        compare_sets(find_sets([one, other]))
    with pytest.raises(InputError, match="same image"):
        compare_sets(find_sets([one, small]))
    (one / "seconds.csv").write_text("file,time\na,3\n")
    with pytest.raises(InputError, match=r"seconds\.csv"):
        find_sets([one, small])


def test_the_plot_of_differences_shows_its_limits_even_beyond_all_points() -> None:
    first = np.array([10.0, 20.0, 40.0, 80.0])
    svg = differences_svg(first, first * np.array([0.7, 1.3, 0.7, 1.3]), "um")
    limits = bland_altman(first, first * np.array([0.7, 1.3, 0.7, 1.3])).limits
    assert max(abs(value) for value in limits) > 0.36
    heights = [float(y) for y in re.findall(r'y2="([\d.]+)" stroke="#b03a00"', svg)]
    assert len(heights) == 3
    assert all(0 < y < 300 for y in heights)
