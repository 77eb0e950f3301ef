"""The learning curve of a supervised segmenter."""

from __future__ import annotations

from pathlib import Path

__all__ = ["plot_semantic_curve"]


def plot_semantic_curve(log: Path, picture: Path) -> None:
    """Draw losses and validation IoU of ``log.csv`` against the epoch; mark the epoch kept.

    Where a resumed training has gone over an epoch again, the later row counts.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    table = pd.read_csv(log).drop_duplicates("epoch", keep="last").set_index("epoch").sort_index()
    best = table.index[int(table["validation_loss"].argmin())]
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    losses, overlap = figure.subplots(1, 2)
    losses.plot(table.index, table["train_loss"], ".-", label="training part")
    losses.plot(table.index, table["validation_loss"], ".-", label="validation part")
    losses.set_ylabel("class-balanced cross-entropy")
    overlap.plot(table.index, table["validation_iou"], ".-", color="C1")
    overlap.set_ylabel("mean IoU, validation part")
    overlap.set_ylim(0, 1)
    for ax in (losses, overlap):
        ax.axvline(best, color="0.6", linestyle=":", zorder=0, label=f"kept: epoch {best}")
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.spines[["top", "right"]].set_visible(False)
    losses.legend(frameon=False)
    figure.savefig(picture, dpi=120)
