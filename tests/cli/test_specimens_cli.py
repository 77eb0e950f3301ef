"""Several fields as one specimen, as a user asks for it."""

from __future__ import annotations

import json

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


def test_a_bad_table_stops_the_run_before_any_work(nital_program, tmp_path, voronoi):
    write_label_tiff(tmp_path / "a.tif", voronoi(9, (30, 30)), None)
    (tmp_path / "t.csv").write_text("image,specimen\nother,x\n")
    done = nital_program(
        "measure", "a.tif", "--target", "grains", "--out", "out", "--specimens", "t.csv"
    )
    assert done.returncode == 2
    assert "has no row for a.tif" in done.stderr
    assert not (tmp_path / "out").exists()
