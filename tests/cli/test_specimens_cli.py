"""Several fields as one specimen, as a user asks for it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from nital.io import write_label_tiff
from nital.micrograph import PixelSize


def test_a_run_over_specimens(nital_program, tmp_path, voronoi):
    for specimen in ("soft", "hard"):
        (tmp_path / specimen).mkdir()
        for number in range(3):
            count = 60 if specimen == "soft" else 200
            labels = voronoi(count + number, (150, 150), number)
            path = tmp_path / specimen / f"{specimen}{number}.tif"
            write_label_tiff(path, labels, PixelSize(0.5, "test"))
    done = nital_program(
        "measure", "soft", "hard", "--target", "grains", "--out", "out", "--specimens", "folder"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "specimens.json").read_text())
    soft, hard = found["specimens"]
    assert soft["fields"] == ["soft0", "soft1", "soft2"]
    number = {
        s["name"]: next(q for q in s["quantities"] if q["name"] == "astm_g_planimetric")
        for s in (soft, hard)
    }
    assert number["hard"]["value"] > number["soft"]["value"] + 1
    assert number["soft"]["n"] == 3
    tests = {test["name"]: test for test in found["comparisons"]}
    assert tests["astm_g_planimetric"]["p"] < 0.01
    lines = (tmp_path / "out" / "specimens.csv").read_text().splitlines()
    assert lines[0].startswith("specimen,condition,fields,quantity")
    assert any(line.startswith("soft,,3,astm_g_planimetric") for line in lines)
    page = (tmp_path / "out" / "report.html").read_text()
    for text in ("Specimen soft", "Comparison", "More fields for ±10 %", "over all fields"):
        assert text in page
    order = [
        page.index(f">{text}</h2>") for text in ("Specimen soft", "soft2", "Specimen hard", "hard0")
    ]
    assert order == sorted(order)
    assert (tmp_path / "out" / "specimens" / "soft_sizes.svg").is_file()


def discs(pitch, radius):
    """Discs of one size, on a square grid of this pitch."""
    rows, cols = np.indices((184, 184)) - 2
    inside = np.hypot(rows % pitch - pitch / 2, cols % pitch - pitch / 2) <= radius
    inside &= (rows >= 0) & (cols >= 0) & (rows < 180) & (cols < 180)
    return ndimage.label(inside)[0].astype(np.int32)


def test_sizes_are_those_of_all_objects_and_conditions_need_specimens(nital_program, tmp_path):
    """Two fields: 9 large discs and 64 small ones; their common median is that of the small."""
    for name, pitch, radius in (("few", 60, 20.0), ("many", 22, 5.0), ("other", 22, 5.0)):
        write_label_tiff(tmp_path / f"{name}.tif", discs(pitch, radius), PixelSize(0.5, "test"))
    (tmp_path / "t.csv").write_text(
        "image,specimen,condition\nfew,A,cast\nmany,A,cast\nother,B,aged\n"
    )
    done = nital_program(
        "measure", "few.tif", "many.tif", "other.tif", "--target", "particles", "--out", "out",
        "--specimens", "t.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "specimens.json").read_text())
    d50 = next(q for q in found["specimens"][0]["quantities"] if q["name"] == "ecd_d50")
    assert d50["value"] == pytest.approx(5.0, rel=0.03)
    assert "all objects of 2 fields together" in d50["method"]
    assert found["comparisons"] == []
    assert "two specimens of each" in found["not_compared"]
    assert "two specimens of each" in (tmp_path / "out" / "report.html").read_text()


def test_a_bad_table_stops_the_run_before_any_work(nital_program, tmp_path, voronoi):
    write_label_tiff(tmp_path / "a.tif", voronoi(9, (30, 30)), None)
    (tmp_path / "t.csv").write_text("image,specimen\nother,x\n")
    done = nital_program(
        "measure", "a.tif", "--target", "grains", "--out", "out", "--specimens", "t.csv"
    )
    assert done.returncode == 2
    assert "has no row for a.tif" in done.stderr
    assert not (tmp_path / "out").exists()
