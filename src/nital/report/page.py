"""The report of a run: one HTML file that needs no network, written image by image."""

from __future__ import annotations

import base64
import io
import json
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.io import atomic_write
from nital.metrology import Measurements
from nital.metrology.comparisons import Comparison
from nital.metrology.specimens import Specimen
from nital.report.decisions import COLUMNS, SHOWN, counted, decision_rows, number_figure
from nital.report.figures import figure_of, templates
from nital.report.names import GROUPS, group_of, label_of
from nital.report.numbers import (
    Units,
    common_units,
    format_accuracy,
    format_length,
    headline,
    print_quantity,
)
from nital.report.overlay import (
    CERTAINTY_COLOURS,
    draw_overlay,
    draw_picture,
    phase_colour,
    shows_certainty,
)
from nital.report.specimens import render_comparisons, render_specimen, write_specimen_figure
from nital.segmentation import Segmentation

__all__ = ["picture_side", "write_fragment", "write_report"]

LONGEST_SIDE, SHORTEST_SIDE = 1600, 320
# Numbers on a scale without a natural nought, of which no share is known to some per cent.
_SCALES = ("astm_g_", "iso643")
_IMAGES_AT_FULL_SIZE = 20


def picture_side(images: int) -> int:
    """Return the longest side of a picture so that a report of many images stays easy to open."""
    side = LONGEST_SIDE * (_IMAGES_AT_FULL_SIZE / max(images, 1)) ** 0.5
    return int(min(max(side, SHORTEST_SIDE), LONGEST_SIDE))


def write_fragment(
    path: Path,
    name: str,
    measurements: Measurements,
    segmentation: Segmentation | None,
    side: int,
) -> None:
    """Write the part of the report about one image.

    Parameters
    ----------
    path
        The file; its folder is made when missing.
    name
        Title of the part, the name of the result folder.
    measurements
        The numbers.
    segmentation
        For the pictures; ``None`` where labels were measured without their micrograph.
    side
        Longest side of a picture in pixels.
    """
    from markupsafe import Markup

    summary = measurements.summary
    log = segmentation.boost_log if segmentation else ()
    boost, decisions = counted(log), decision_rows(log)
    figures = [figure_of(measurements), number_figure(summary["parameters"])]
    text = (
        templates()
        .get_template("image.html.j2")
        .render(
            anchor=_anchor(name),
            name=name,
            image=summary["image"],
            target=summary["target"],
            warnings=summary["warnings"],
            model=summary["model"],
            version=summary["nital"],
            pixel_size=_pixel_size(summary),
            parameters=[(key, json.dumps(value)) for key, value in summary["parameters"].items()],
            groups=_groups(summary["quantities"], summary["target"]["value"]),
            intervals=summary["intervals"],
            pictures=None if segmentation is None else _pictures(segmentation, side),
            plots=[{**vars(each), "picture": Markup(each.svg)} for each in figures if each],
            left_out=_left_out(measurements),
            boost=boost,
            boost_total=sum(count for _, _, count in boost),
            decisions=decisions[:SHOWN],
            decision_columns=COLUMNS,
            decisions_left=max(0, len(decisions) - SHOWN),
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_report(
    path: Path,
    fragments: Sequence[tuple[Path, Path]],
    command: Sequence[str],
    failures: Sequence[str],
    specimens: Sequence[Specimen] = (),
    comparisons: Sequence[Comparison] = (),
) -> None:
    """Put the parts together, with an overview; the fields of a specimen behind its result.

    Parameters
    ----------
    path
        The HTML file.
    fragments
        ``(result folder, part)`` of each image; the parts are copied, never all in memory.
    command
        The command line of the run.
    failures
        A sentence for each input that failed.
    specimens, comparisons
        Results over several fields; every part is of a field of one of the specimens, if there are
        any.
    """
    rows = [_overview(folder) for folder, _ in fragments]
    head = (
        templates()
        .get_template("head.html.j2")
        .render(
            version=nital.__version__, rows=rows, command=shlex.join(command), failures=failures
        )
    )

    chapters = list(_chapters(path.parent, fragments, specimens))

    def write(temporary: Path) -> None:
        with temporary.open("wb") as page:
            page.write(head.encode())
            page.write(render_comparisons(comparisons, specimens).encode())
            for heading, of_heading in chapters:
                page.write(heading.encode())
                for fragment in of_heading:
                    with fragment.open("rb") as part:
                        shutil.copyfileobj(part, page)
            page.write(b"</body>\n</html>\n")

    atomic_write(path, write)


def _chapters(
    out: Path, fragments: Sequence[tuple[Path, Path]], specimens: Sequence[Specimen]
) -> Iterator[tuple[str, list[Path]]]:
    """Heading, if any, and the parts below it."""
    parts = {folder.name: part for folder, part in fragments}
    if not specimens:
        yield "", list(parts.values())
    anchors = {name: _anchor(name) for name in parts}
    for specimen in specimens:
        figure = write_specimen_figure(out, specimen)
        heading = render_specimen(specimen, anchors, figure)
        yield heading, [parts[field] for field in specimen.fields]


def _left_out(measurements: Measurements) -> list[str]:
    """What does not count towards which numbers."""
    table, image = measurements.objects, measurements.summary["image"]
    sentences = []
    edge = int(table["touches_edge"].sum())
    if edge and measurements.summary["target"]["value"] != "layers":
        sentences.append(
            f"{edge} of {len(table)} objects touch the edge: counted, but left out of sizes, "
            "where the others stand for them, weighted by the inverse of their chance to lie "
            "inside (Miles-Lantuéjoul)"
        )
    rows = image["shape"][0] - image["measured_rows"]
    if rows:
        sentences.append(f"the data bar, {rows} rows at the bottom")
    return sentences


def _anchor(name: str) -> str:
    return "image-" + "".join(c if c.isalnum() else f"_{ord(c):x}" for c in name)


def _overview(folder: Path) -> dict[str, Any]:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    overall = {row["name"]: row for row in summary["quantities"] if row["phase"] is None}
    return {
        "anchor": _anchor(folder.name),
        "name": folder.name,
        "target": summary["target"]["value"],
        "count": overall["object_count"]["value"],
        "coverage": f"{100 * overall['coverage']['value']:.1f} %",
        "headline": headline(summary) or "–",
        "pixel_size": _pixel_size(summary) or "unknown",
        "warnings": len(summary["warnings"]),
    }


def _pixel_size(summary: dict[str, Any]) -> str:
    size = summary["image"]["pixel_size"]
    return "" if size is None else format_length(size["value"])


def _groups(rows: Sequence[dict[str, Any]], target: str) -> list[dict[str, Any]]:
    """Quantities as they are printed: group by group, in the order of the names.

    A layer is a group of its own.
    """
    layers = sorted((row for row in rows if "object" in row), key=lambda row: row["object"])
    first = [*map(_title, layers), "Layers"] if target == "layers" else ["Grain size"]
    titles = [*first, *GROUPS, *(group_of(row["name"]) for row in rows)]
    units = common_units(rows)
    groups = []
    for title in dict.fromkeys(titles):
        of_group = [row for row in rows if _title(row) == title]
        of_group.sort(key=lambda row: (row["phase"] or 0, _place(row["name"])))
        if of_group:
            groups.append({"title": title, "rows": [_quantity(row, units) for row in of_group]})
    return groups


def _place(name: str) -> int:
    """Place of a quantity in its group; behind all others for one that is not known."""
    names = [*GROUPS.get(group_of(name), ())]
    return names.index(name) if name in names else len(names)


def _title(row: dict[str, Any]) -> str:
    """Group of a quantity; the mean intercept of a phase goes with the others of phases."""
    if "object" in row:
        return f"Layer {row['object']}, phase {row['phase']}"
    if row["name"] == "lineal_intercept_mean" and row["phase"] is not None:
        return group_of("mean_free_path")
    return group_of(row["name"])


def _quantity(row: dict[str, Any], units: Units) -> dict[str, Any]:
    value, interval, unit = print_quantity(row, units)
    label = label_of(row["name"])
    if "object" not in row and row["phase"] is not None:
        label = f"{label}, phase {row['phase']}"
    on_a_scale = row["unit"] == "deg" or row["name"].startswith(_SCALES)
    return {
        "label": label,
        "value": value,
        "interval": interval,
        "accuracy": "" if on_a_scale else format_accuracy(row["value"], row["ci95"]),
        "unit": unit,
        "n": row["n"],
        "standard": row["standard"] or "",
        "method": row["method"],
        "summary": row["method"].partition("; ")[0],
    }


def _pictures(segmentation: Segmentation, side: int) -> dict[str, Any]:
    labelled = segmentation.phases[segmentation.labels > 0]
    present = np.flatnonzero(np.bincount(labelled, minlength=1))
    colours = [phase_colour(segmentation.target, int(phase)) for phase in present]
    names = [f"phase {phase}" for phase in present]
    if shows_certainty(segmentation):
        least = f"{segmentation.parameters['min_confidence']:g}"
        colours = list(CERTAINTY_COLOURS)
        names = [f"uncertain (confidence below {least})", "certain"]
    return {
        "micrograph": _data_address(draw_picture(segmentation.micrograph, side)),
        "overlay": _data_address(draw_overlay(segmentation, side)),
        "legend": [
            (f"#{red:02x}{green:02x}{blue:02x}", name)
            for (red, green, blue), name in zip(colours, names, strict=True)
        ],
    }


def _data_address(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="JPEG", quality=86, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
