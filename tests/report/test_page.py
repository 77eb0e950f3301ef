"""The report: complete, self-contained, and safe against odd names."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from nital.report.figures import figure_of, write_figure
from nital.report.page import picture_side, write_fragment, write_report
from nital.report.plot import profile_layout, size_layout

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
        "ASTM G, Saltykov rectangle",
        "ASTM E112",
        "defined in the standards named",
        "One field:",
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


def histogram_layout(measurements):
    table = measurements.objects
    unit = "um" if "ecd_um" in table else "px"
    return size_layout(table[f"ecd_{unit}"].to_numpy()[~table["touches_edge"].to_numpy()], unit)


def test_the_plot_needs_enough_objects(wrap, voronoi):
    assert histogram_layout(wrap(voronoi(60, (90, 120))).measure()) is not None
    assert histogram_layout(wrap(voronoi(9, (90, 120))).measure()) is None


def test_bars_fill_the_plot_and_stand_on_its_base(wrap, voronoi):
    plot = histogram_layout(wrap(voronoi(90, (120, 120))).measure())
    assert min(y for _, y, _, _ in plot["bars"]) == plot["top"]
    for x, y, width, height in plot["bars"]:
        assert plot["left"] <= x < x + width <= plot["right"]
        assert y + height == pytest.approx(plot["base"])


def test_the_lines_of_the_plot_are_the_percentiles_of_the_table(wrap, voronoi):
    measurements = wrap(voronoi(90, (120, 120)), scale=0.5).measure()
    value = {found.name: found.value for found in measurements.quantities}
    plot = size_layout(np.linspace(1.0, 9.0, 50), "um", [2.0, 5.0, 9.5])
    left, right = plot["left"], plot["right"]
    assert plot["marks"] == pytest.approx([left + (right - left) / 8, (left + right) / 2], abs=0.01)
    table = measurements.objects
    sizes = table["ecd_um"].to_numpy()[~table["touches_edge"].to_numpy()]
    marks = size_layout(sizes, "um", [value[f"ecd_d{p}"] for p in (10, 50, 90)])["marks"]
    svg = figure_of(measurements).svg
    assert [float(x) for x in re.findall(r'x1="([\d.]+)"[^>]*stroke="#b03a00"', svg)] == marks


def test_objects_of_one_size_can_be_plotted(wrap):
    labels = np.zeros((20, 60), dtype=np.int32)
    labels[10, 5:55:5] = np.arange(1, 11)
    assert len(histogram_layout(wrap(labels).measure())["bars"]) == 1


@pytest.mark.parametrize(
    ("sides", "scale", "expected"),
    [
        ((1, 2, 4, 8, 16, 32, 64, 128), None, ["2", "5", "10", "20", "50", "100"]),
        ((10, 11, 12, 13, 14, 15, 16, 17), 0.001, ["12", "14", "16", "18"]),
    ],
)
def test_ticks_are_round_numbers(wrap, sides, scale, expected):
    labels = np.zeros((300, 900), dtype=np.int32)
    left = 5
    for label, side in enumerate(sides, start=1):
        labels[5 : 5 + side, left : left + side] = label
        left += side + 1
    plot = histogram_layout(wrap(labels, scale=scale).measure())
    assert [text for _, text in plot["ticks"]] == expected
    assert ("nm" in plot["label"]) == (scale is not None)


def test_layers_are_plotted_along_their_course(wrap):
    labels = np.ones((60, 200), dtype=np.int32)
    labels[20:], labels[35:] = 2, 3
    labels[45:] = 4
    measured = wrap(labels, labels.astype(np.uint8), scale=0.001, target="layers").measure()
    plot = profile_layout(measured)
    assert [name for _, _, name, _ in plot["lines"]] == ["layer 2", "layer 3"]
    assert "nm" in plot["label_up"]
    for points, *_ in plot["lines"]:
        for x, y in (map(float, point.split(",")) for point in points.split()):
            assert plot["left"] <= x <= plot["right"]
            assert plot["top"] <= y <= plot["base"]


@pytest.mark.parametrize("target", ["grains", "phases", "particles", "layers"])
def test_the_page_of_each_target_is_well_formed(wrap, voronoi, tmp_path, target):
    labels = voronoi(60, (90, 120)) if target == "grains" else np.eye(60, dtype=np.int32)
    if target == "layers":
        labels = np.repeat([1, 2, 3], 20)[:, None].repeat(90, axis=1).astype(np.int32)
    segmentation = wrap(labels, scale=0.2, target=target)
    write_fragment(tmp_path / "part.html", "one", segmentation.measure(), segmentation, 300)
    text = (tmp_path / "part.html").read_text(encoding="utf-8")
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    titles = {"grains": "Grain size", "phases": "Point fraction", "particles": "Limits"}
    assert titles.get(target, "Thickness along the layers") in text


def test_each_layer_is_a_group_of_its_own(wrap, tmp_path):
    labels = np.repeat([1, 2, 3, 4], 20)[:, None].repeat(90, axis=1).astype(np.int32)
    segmentation = wrap(labels, labels.astype(np.uint8), scale=0.2, target="layers")
    write_fragment(tmp_path / "part.html", "one", segmentation.measure(), segmentation, 300)
    text = (tmp_path / "part.html").read_text(encoding="utf-8")
    groups = re.findall('rowgroup">([^<]+)<', text)
    once = ["Layer 2, phase 2", "Layer 3, phase 3", "Amount", "Boundaries and phases"]
    assert groups == once * 2, "in the table, and in how the numbers were found"


def test_a_report_of_one_image_is_printed_from_its_first_page_on(wrap, tmp_path):
    segmentation = wrap(np.eye(60, dtype=np.int32), scale=0.2, target="phases")
    segmentation.save(tmp_path / "one")
    write_fragment(tmp_path / "part.html", "one", segmentation.measure(), segmentation, 300)
    fragment = (tmp_path / "one", tmp_path / "part.html")
    for number, single in ((1, True), (2, False)):
        write_report(tmp_path / "report.html", [fragment] * number, ["nital"], [])
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert ('<header class="single">' in text) is single


def test_the_figure_and_its_numbers(wrap, voronoi, tmp_path):
    measurements = wrap(voronoi(90, (120, 120)), scale=0.5).measure()
    figure = figure_of(measurements)
    whole = int((~measurements.objects["touches_edge"]).sum())
    header, *rows = figure.rows
    assert header == ("ecd_from_um", "ecd_to_um", "objects", "share_of_objects", "share_of_area")
    assert sum(row[2] for row in rows) == whole
    assert sum(float(row[3]) for row in rows) == pytest.approx(1)
    assert sum(float(row[4]) for row in rows) == pytest.approx(1)
    write_figure(tmp_path, figure)
    root = ElementTree.parse(tmp_path / "sizes.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len((tmp_path / "sizes.csv").read_text().splitlines()) == len(figure.rows)


def test_the_page_says_what_is_left_out(made):
    assert re.search(r"Left out: \d+ of 60 objects touch the edge", made)
    assert "Miles-Lantuéjoul" in made
