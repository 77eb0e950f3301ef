"""The report: complete, self-contained, and safe against odd names."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from nital.report.page import picture_side, write_fragment, write_report
from nital.report.plot import plot_sizes

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Balance(HTMLParser):
    """Checks that every tag is closed by its own kind."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.fixture
def made(wrap, voronoi, tmp_path):
    """A report of two images, one with a name that wants escaping."""
    fragments = []
    for name, scale in (("steel", 0.25), ("a <b> & 'c'", None)):
        segmentation = wrap(
            voronoi(60, (90, 120)),
            scale=scale,
            target="grains",
            parameters={"model": "<i>"},
            boost_log=({"action": "removed", "reason": "too small"},) * 3,
        )
        measurements = segmentation.measure()
        segmentation.save(tmp_path / name)
        part = tmp_path / ".report" / f"{name}.html"
        write_fragment(part, name, measurements, segmentation, 1600)
        fragments.append((tmp_path / name, part))
    command = ["nital", "segment", "my file.tif"]
    write_report(tmp_path / "report.html", fragments, command, ["bad.tif: is empty"])
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_is_well_formed(made):
    balance = Balance()
    balance.feed(made)
    assert balance.open == []


def test_nothing_is_loaded_from_elsewhere(made):
    sources = re.findall(r'(?:src|href)="([^"]*)"', made)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert "@import" not in made
    assert "url(http" not in made
    assert "<script" not in made


def test_names_are_escaped_and_linked(made):
    assert "a &lt;b&gt; &amp; &#39;c&#39;" in made
    assert "<b>" not in made
    assert "&lt;i&gt;" in made
    links = set(re.findall(r'href="#([^"]*)"', made))
    links = {link for link in links if link.startswith("image-")}
    assert links == set(re.findall(r'<section id="([^"]*)"', made))


def test_the_page_says_what_was_found_and_how(made):
    for text in (
        "nital segment &#39;my file.tif&#39;",
        "bad.tif: is empty",
        "Mean equivalent circle diameter",
        "pixel size 250 nm (test)",
        "no pixel size known",
        "give --pixel-size",
        "Candidates removed or merged: 3",
        "too small",
        "order statistics",
    ):
        assert re.sub(r"\s+", " ", text) in re.sub(r"\s+", " ", made), text


def test_labels_without_their_micrograph_have_no_pictures(wrap, tmp_path):
    segmentation = wrap(np.eye(30, dtype=np.int32))
    path = tmp_path / "part.html"
    write_fragment(path, "labels", segmentation.measure(), None, 0)
    assert "<img" not in path.read_text(encoding="utf-8")


def test_a_report_of_many_images_has_smaller_pictures():
    assert picture_side(1) == picture_side(20) == 1600
    assert 320 <= picture_side(1000) < picture_side(100) < 1600


def test_the_plot_is_the_same_each_time_and_needs_enough_objects(wrap, voronoi):
    many = wrap(voronoi(60, (90, 120))).measure()
    assert plot_sizes(many) == plot_sizes(many)
    assert plot_sizes(many).startswith("<svg")
    few = wrap(voronoi(9, (90, 120))).measure()
    assert plot_sizes(few) is None


def test_objects_of_one_size_can_be_plotted(wrap):
    labels = np.zeros((20, 60), dtype=np.int32)
    labels[10, 5:55:5] = np.arange(1, 11)
    assert "svg" in plot_sizes(wrap(labels).measure())


def test_a_wide_range_of_sizes_has_a_logarithmic_axis(wrap):
    labels = np.zeros((300, 900), dtype=np.int32)
    for label, side in enumerate((1, 2, 4, 8, 16, 32, 64, 128), start=1):
        labels[5 : 5 + side, 2 * side : 3 * side] = label
    text = plot_sizes(wrap(labels).measure())
    assert all(f">{tick}<" in text for tick in (2, 5, 10, 20, 50, 100))
