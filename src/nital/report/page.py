"""The report of a run: one HTML file that needs no network, written image by image."""

from __future__ import annotations

import base64
import io
import json
import shlex
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.io import atomic_write
from nital.metrology import Measurements
from nital.report.numbers import QUANTITY_LABELS, display_unit, format_interval, format_length
from nital.report.overlay import draw_overlay, draw_picture, phase_colour
from nital.report.plot import histogram_layout
from nital.segmentation import Segmentation

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["picture_side", "write_fragment", "write_report"]

LONGEST_SIDE, SHORTEST_SIDE = 1600, 320
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
    summary = measurements.summary
    boost = Counter(
        (str(entry.get("action", "")), str(entry.get("reason", "")))
        for entry in (segmentation.boost_log if segmentation else ())
    )
    templates = _templates()
    text = templates.get_template("image.html.j2").render(
        anchor=_anchor(name),
        name=name,
        image=summary["image"],
        target=summary["target"],
        warnings=summary["warnings"],
        model=summary["model"],
        version=summary["nital"],
        pixel_size=_pixel_size(summary),
        parameters=[(key, json.dumps(value)) for key, value in summary["parameters"].items()],
        quantities=[_quantity(row) for row in summary["quantities"]],
        pictures=None if segmentation is None else _pictures(segmentation, side),
        plot=_plot(templates, measurements),
        boost=[(*key, count) for key, count in sorted(boost.items())],
        boost_total=boost.total(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_report(
    path: Path,
    fragments: Sequence[tuple[Path, Path]],
    command: Sequence[str],
    failures: Sequence[str],
) -> None:
    """Put the parts together, with an overview.

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
    """
    rows = [_overview(folder) for folder, _ in fragments]
    head = (
        _templates()
        .get_template("head.html.j2")
        .render(
            version=nital.__version__, rows=rows, command=shlex.join(command), failures=failures
        )
    )

    def write(temporary: Path) -> None:
        with temporary.open("wb") as page:
            page.write(head.encode())
            for _, fragment in fragments:
                with fragment.open("rb") as part:
                    shutil.copyfileobj(part, page)
            page.write(b"</body>\n</html>\n")

    atomic_write(path, write)


def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("nital.report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def _plot(templates: Environment, measurements: Measurements) -> Markup | None:
    from markupsafe import Markup

    layout = histogram_layout(measurements)
    if layout is None:
        return None
    return Markup(templates.get_template("sizes.svg.j2").render(**layout))


def _anchor(name: str) -> str:
    return "image-" + "".join(c if c.isalnum() else f"_{ord(c):x}" for c in name)


def _overview(folder: Path) -> dict[str, Any]:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    overall = {row["name"]: row for row in summary["quantities"] if row["phase"] is None}
    text = "–"
    if "ecd_mean" in overall:
        value, interval, unit = _printed(overall["ecd_mean"])
        text = f"{value} ({interval}) {unit}"
    return {
        "anchor": _anchor(folder.name),
        "name": folder.name,
        "target": summary["target"]["value"],
        "count": overall["object_count"]["value"],
        "coverage": f"{100 * overall['coverage']['value']:.1f} %",
        "diameter": text,
        "pixel_size": _pixel_size(summary) or "unknown",
        "warnings": len(summary["warnings"]),
    }


def _pixel_size(summary: dict[str, Any]) -> str:
    size = summary["image"]["pixel_size"]
    return "" if size is None else format_length(size["value"])


def _printed(row: dict[str, Any]) -> tuple[str, str, str]:
    """Value, interval and unit of a quantity as they are printed; fractions in per cent."""
    unit, factor = display_unit(row["unit"], row["value"])
    if row["name"] in ("coverage", "phase_fraction"):
        unit, factor = "%", 100.0
    scaled = None if row["ci95"] is None else [limit * factor for limit in row["ci95"]]
    value, interval = format_interval(row["value"] * factor, scaled)
    return str(row["value"]) if isinstance(row["value"], int) else value, interval, unit


def _quantity(row: dict[str, Any]) -> dict[str, Any]:
    value, interval, unit = _printed(row)
    label = QUANTITY_LABELS.get(row["name"], row["name"])
    return {
        "label": label if row["phase"] is None else f"{label}, phase {row['phase']}",
        "value": value,
        "interval": interval,
        "unit": unit,
        "n": row["n"],
        "method": row["method"],
        "standard": row["standard"],
    }


def _pictures(segmentation: Segmentation, side: int) -> dict[str, Any]:
    labelled = segmentation.phases[segmentation.labels > 0]
    present = np.flatnonzero(np.bincount(labelled, minlength=1))
    colours = [phase_colour(segmentation.target, int(phase)) for phase in present]
    return {
        "micrograph": _data_address(draw_picture(segmentation.micrograph, side)),
        "overlay": _data_address(draw_overlay(segmentation, side)),
        "legend": [
            (f"#{red:02x}{green:02x}{blue:02x}", int(phase))
            for (red, green, blue), phase in zip(colours, present, strict=True)
        ],
    }


def _data_address(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="JPEG", quality=86, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
