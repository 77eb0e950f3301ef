"""The tables of a benchmark: what stands in them, as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import json
import shlex
import statistics as standard
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from nital.evaluation.bench import Bench, Result
from nital.evaluation.datasets import Dataset
from nital.evaluation.methods import Method
from nital.evaluation.published import Published, images_in_common, published
from nital.evaluation.resources import versions
from nital.evaluation.scores import CLASS_IOU
from nital.evaluation.statistics import Mean, is_error, summarise

__all__ = ["About", "Line", "SetTable", "as_csv", "as_json", "as_markdown", "set_tables"]

SHOWN = {
    "boundaries": ("ari", "boundary_f1", "ari_matsam", "f1", "recall", "ap50", "astm_g_error"),
    "instances": ("ap50", "ap75", "ap", "aji_plus", "pq", "f1", "recall", "boundary_f1"),
    "layers": ("iou_mean", "boundary_f1", "samiam_iou", "samiam_boundary_iou", "samiam_fpr"),
    "phases": ("iou_mean", "iou_foreground", "f1", "recall", "boundary_f1", "phase_fraction_error"),
    "semantic": ("iou_mean", "iou_foreground", "f1", "recall", "boundary_f1", "samiam_iou"),
}
"""Metrics in the tables, the first one deciding which image is worst; the CSV holds all. Tables of
semantic sets show the IoU of each class too."""

LOWER_IS_BETTER = ("samiam_fpr", "samiam_fpr_sum", "vi_split", "vi_merge", "ece", "hausdorff_mean")


@dataclass(frozen=True)
class About:
    """What a run was made with."""

    methods: tuple[Method, ...]
    command: tuple[str, ...]
    split: str
    jobs: int

    @property
    def tuned(self) -> bool:
        """Whether options were chosen per data set."""
        return any(method.tuned for method in self.methods)

    @property
    def setting(self) -> str:
        """One sentence on how the numbers came about."""
        frozen = "options tuned per data set" if self.tuned else "one configuration for all sets"
        together = f", {self.jobs} processes at once" if self.jobs > 1 else ""
        return f"{frozen}; images: {self.split}; median seconds per image{together}"


@dataclass(frozen=True)
class Line:
    """One method on one set: its means, median seconds and greatest peak memory."""

    method: str
    means: dict[str, Mean]
    seconds: float
    peak_mb: float
    count: int
    wanted: int


@dataclass(frozen=True)
class SetTable:
    """The table of one set.

    Parameters
    ----------
    dataset
        The set.
    columns
        Metrics shown.
    lines
        Our methods, in the order asked for; where the set states difficulties, each followed by
        its means over the images of each class (SAM-I-Am, section 4.1).
    published
        Figures of others on this set.
    results
        All results on it.
    """

    dataset: Dataset
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    published: tuple[Published, ...]
    results: tuple[Result, ...]

    @property
    def folder(self) -> str:
        """Name of the folder."""
        return self.dataset.folder.resolve().name

    @property
    def image_names(self) -> list[str]:
        """Names of the images run, without suffix."""
        return list(dict.fromkeys(result.work.sample.name for result in self.results))

    def best(self, metric: str) -> str | None:
        """Name of our best method, ``None`` where there is no contest."""
        whole = [line for line in self.lines if ", difficulty " not in line.method]
        known = [line for line in whole if metric in line.means]
        if len(known) < 2:
            return None
        lowest = is_error(metric) or metric in LOWER_IS_BETTER
        ranked = sorted(known, key=lambda line: line.means[metric].value, reverse=not lowest)
        return ranked[0].method


def set_tables(bench: Bench) -> tuple[SetTable, ...]:
    """One table per set, in the order of the run."""
    groups: dict[str, list[Result]] = {}
    for result in bench.results:
        groups.setdefault(str(result.work.dataset.folder), []).append(result)
    return tuple(_set_table(results) for results in groups.values())


def _set_table(results: Sequence[Result]) -> SetTable:
    dataset = results[0].work.dataset
    methods = dict.fromkeys(result.work.method.name for result in results)
    lines = []
    for name in methods:
        own = [result for result in results if result.work.method.name == name]
        lines.append(_line(name, own))
        for level in sorted(set(dataset.difficulty.values())):
            group = [r for r in own if dataset.difficulty_of(r.work.sample) == level]
            if group:
                lines.append(_line(f"{name}, difficulty {level}", group))
    found = {metric for line in lines for metric in line.means}
    columns = tuple(metric for metric in SHOWN[dataset.task] if metric in found)
    if dataset.task == "semantic":
        columns += tuple(sorted(metric for metric in found if metric.startswith(CLASS_IOU)))
    names = (dataset.name, dataset.folder.resolve().name)
    theirs = tuple(entry for entry in published() if entry.is_about(*names))
    return SetTable(dataset, columns, tuple(lines), theirs, tuple(results))


def _line(name: str, results: Sequence[Result]) -> Line:
    done = [result for result in results if result.failure is None]
    return Line(
        method=name,
        means=summarise([result.row for result in done]),
        seconds=standard.median(r.seconds for r in done) if done else 0.0,
        peak_mb=max((result.peak_mb for result in done), default=0.0),
        count=len(done),
        wanted=len(results),
    )


def as_markdown(bench: Bench, about: About) -> str:
    """The tables as Markdown."""
    lines = ["# Nital benchmark" + (" (tuned per data set)" if about.tuned else ""), ""]
    lines += [f"{about.setting}.", "", f"`{shlex.join(about.command)}`", ""]
    lines += [", ".join(f"{name} {value}" for name, value in versions().items()), ""]
    lines += _method_table(bench, about)
    for table in set_tables(bench):
        lines += ["", f"## {table.folder}", "", f"{about_set(table)}", ""]
        lines += _markdown_table(table)
    if bench.failures or bench.notes:
        lines += ["", "## Left out, missing, failed", ""]
        lines += [f"- {sentence}" for sentence in (*bench.failures, *bench.notes)]
    return "\n".join(lines) + "\n"


def about_set(table: SetTable) -> str:
    """What a set is, in one line."""
    dataset = table.dataset
    count = len(table.image_names)
    parts = [dataset.name, f"task {dataset.task}", f"{count} image{'' if count == 1 else 's'}"]
    parts.append(f"asked for {dataset.target}")
    if dataset.phases is not None:
        parts.append(f"{dataset.phases} phases given")
    if dataset.task in ("boundaries", "instances"):
        parts.append(f"boundaries within {dataset.tolerance:g} px")
    if dataset.partial:
        parts.append("not all objects are labelled: predictions on unlabelled ground do not count")
    return "; ".join(parts)


def weights_of(bench: Bench, method: Method) -> str | None:
    """SHA-256 of the weights that a method used."""
    return next((r.weights for r in bench.results if r.work.method == method and r.weights), None)


def _method_table(bench: Bench, about: About) -> list[str]:
    rows = ["| method | configuration | weights (SHA-256) |", "|---|---|---|"]
    for method in about.methods:
        weights = weights_of(bench, method)
        rows.append(f"| {method.name} | `{method.configuration}` | {weights or 'none'} |")
    return rows


def _markdown_table(table: SetTable) -> list[str]:
    rows = ["| method | images | " + " | ".join(table.columns) + " | seconds | peak MiB |"]
    rows.append("|---" * (len(table.columns) + 4) + "|")
    for line in table.lines:
        cells = []
        for metric in table.columns:
            text = str(line.means[metric]) if metric in line.means else "-"
            cells.append(f"**{text}**" if table.best(metric) == line.method else text)
        rows.append(
            f"| {line.method} | {counted(line)} | {' | '.join(cells)} | {line.seconds:.2f} | "
            f"{line.peak_mb:.0f} |"
        )
    rows += [_published_row(entry, table) for entry in table.published]
    return rows


def _published_row(entry: Published, table: SetTable) -> str:
    values = [f"{entry.metrics[m]:.3f}" if m in entry.metrics else "-" for m in table.columns]
    name = f"*{published_name(entry, table)}*"
    return "| " + " | ".join((name, str(entry.test_images or "-"), *values, "-", "-")) + " |"


def counted(line: Line) -> str:
    """Number of images scored, with the number wanted where it is larger."""
    return str(line.count) if line.count == line.wanted else f"{line.count} of {line.wanted}"


def published_name(entry: Published, table: SetTable) -> str:
    """Method, setting, images and source of a published figure."""
    images = images_in_common(entry, table.image_names)
    return f"{entry.method}, published ({images}; {entry.setting}; {entry.table})"


def as_csv(bench: Bench) -> str:
    """All means: dataset, method, metric, mean, low, high, images."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["dataset", "method", "metric", "mean", "ci95_low", "ci95_high", "images"])
    for table in set_tables(bench):
        for line in table.lines:
            values = {name: (m.value, m.interval, m.count) for name, m in line.means.items()}
            if line.count:
                values["seconds_median"] = (line.seconds, None, line.count)
                values["peak_mb_max"] = (line.peak_mb, None, line.count)
            for name, (mean, interval, count) in values.items():
                low, high = (f"{v:.6g}" for v in interval) if interval else ("", "")
                writer.writerow([table.folder, line.method, name, f"{mean:.6g}", low, high, count])
    return stream.getvalue()


def as_json(bench: Bench, about: About) -> str:
    """``{"rows": [...]}`` with one row per image and method, and what the run was made with."""
    content: dict[str, Any] = {
        "rows": [result.row for result in bench.results if result.failure is None],
        "schema": 1,
        "about": {
            "command": list(about.command),
            "split": about.split,
            "jobs": about.jobs,
            "tuned": about.tuned,
            "versions": versions(),
            "methods": [
                {
                    "name": method.name,
                    "configuration": method.configuration,
                    "weights_sha256": weights_of(bench, method),
                }
                for method in about.methods
            ],
        },
        "summary": [
            {
                "dataset": table.folder,
                "method": line.method,
                "images": line.count,
                "seconds_median": round(line.seconds, 4),
                "peak_mb_max": round(line.peak_mb, 1),
                "metrics": {
                    name: {"mean": round(m.value, 6), "ci95": m.interval and list(m.interval)}
                    for name, m in line.means.items()
                },
            }
            for table in set_tables(bench)
            for line in table.lines
        ],
        "failures": list(bench.failures),
        "notes": list(bench.notes),
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
