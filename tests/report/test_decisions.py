"""Decisions of the booster in the report and as a table, and the curve of numbers of materials."""

import csv
from xml.etree import ElementTree

import numpy as np
import pytest

from nital.report.decisions import counted, decision_rows, number_figure, write_decisions
from nital.report.figures import write_figure
from nital.report.page import write_fragment

LOG = (
    {"action": "remove", "reason": "low score", "count": 40},
    {
        "action": "remove",
        "reason": "tiny child",
        "mask": 7,
        "other": 2,
        "share": 0.03,
        "area_px": 11.5,
    },
    {"action": "merge", "reason": "same material", "masks": [2, 5, 9], "material": 1},
)
CURVE = [[1, 0.0, 1e6], [2, 0.8, 3.1], [3, 0.7, 1.4], [4, 0.4, 0.3]]


def found(rule, number=3):
    return {"found": {"number": number, "number_rule": rule, "number_curve": CURVE}}


def test_an_entry_that_stands_for_many_counts_as_many():
    assert counted(LOG) == [
        ("merge", "same material", 1),
        ("remove", "low score", 40),
        ("remove", "tiny child", 1),
    ]


def test_decisions_on_single_masks_are_written_one_by_one(tmp_path):
    write_decisions(tmp_path, LOG)
    with (tmp_path / "decisions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["reason"] for row in rows] == ["tiny child", "same material"]
    assert (rows[0]["mask"], rows[0]["other"], rows[0]["share"]) == ("7", "2", "0.03")
    assert rows[1]["masks"] == "2 5 9"


def test_without_single_decisions_there_is_no_file(tmp_path):
    write_decisions(tmp_path, LOG[:1])
    assert list(tmp_path.iterdir()) == []


def test_the_report_lists_every_decision(wrap, tmp_path):
    labels = np.zeros((60, 80), np.int32)
    labels[10:30, 10:70], labels[40:50, 10:70] = 1, 2
    segmentation = wrap(
        labels, target="layers", boost_log=LOG, parameters=found("silhouette"), scale=None
    )
    write_fragment(tmp_path / "part.html", "one", segmentation.measure(), segmentation, 300)
    text = (tmp_path / "part.html").read_text(encoding="utf-8")
    assert "Candidates removed or merged: 42" in text
    assert "<td>tiny child</td><td>7</td><td>2</td><td>0.03</td><td>11.5</td>" in text
    assert "How many materials" in text
    segmentation.save(tmp_path / "result")
    assert (tmp_path / "result" / "number.csv").exists()
    assert (
        len(decision_rows(LOG))
        == len((tmp_path / "result" / "decisions.csv").read_text().split("\n")) - 2
    )


@pytest.mark.parametrize(("rule", "lines"), [("silhouette", 2), ("separation", 1)])
def test_the_curve_of_numbers(tmp_path, rule, lines):
    figure = number_figure(found(rule))
    assert [row[0] for row in figure.rows[1:]] == [2, 3, 4]
    write_figure(tmp_path, figure)
    root = ElementTree.parse(tmp_path / "number.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}polyline")) == lines
    assert len(root.findall(f"{space}circle")) == 3 * lines + 1


def test_a_number_that_was_given_has_no_curve():
    assert (
        number_figure(
            {"found": {"number": 3, "number_rule": "separation", "number_curve": [[3, 0.1, 2.0]]}}
        )
        is None
    )
    assert number_figure({}) is None


def test_the_caption_says_by_what_the_number_was_taken() -> None:
    even, apart = number_figure(found("scatter")), number_figure(found("separation"))
    assert even is not None
    assert apart is not None
    assert "alike enough" in even.caption
    assert "alike enough" not in apart.caption
