"""``nital export``: labels in the files of other tools, and theirs as label images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nital.cli.options import Out, Overwrite

__all__ = ["EXPORT_EPILOG", "export_labels"]

EXPORT_EPILOG = (
    "Examples:\n\n"
    "nital export results --format geojson --out qupath\n\n"
    "nital export results/steel --format imagej --out rois\n\n"
    "nital export annotations.json --format labels --out masks"
)


class ExportFormat(StrEnum):
    """Formats of exchange files."""

    coco = "coco"
    coco_polygons = "coco-polygons"
    geojson = "geojson"
    imagej = "imagej"
    label_studio = "label-studio"
    labels = "labels"
    ome_tiff = "ome-tiff"
    ome_zarr = "ome-zarr"


def export_labels(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT...",
            help="The folder of a run, of one image in it, or a label file of any format that "
            "nital measure reads.",
            show_default=False,
        ),
    ],
    out: Out,
    kind: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="coco and label-studio hold all images in one file, the others one image each.",
            show_default=False,
        ),
    ],
    micrograph: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Image of the labels, for files that do not tell how large it is: GeoJSON and "
            "regions of ImageJ.",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write labels as COCO, GeoJSON, ImageJ regions, Label Studio, OME-TIFF or OME-Zarr.

    Nothing is lost on the way: reading the file gives the same label at every pixel.
    """
    from nital.cli.exporting import export_command

    raise typer.Exit(export_command(results, out, kind.value, micrograph, overwrite))
