"""The learning curve of a training."""

from __future__ import annotations

from pathlib import Path

__all__ = ["plot_curve"]

SMOOTHING = 5  # logged means in the running mean that is drawn over the points


def plot_curve(log: Path, picture: Path) -> None:
    """Draw the losses of ``log.csv`` against the step, each part and their weighted sum.

    Where a resumed training has gone over a step again, the later row counts.
    """
    import pandas as pd
    from matplotlib.figure import Figure

    table = pd.read_csv(log).drop_duplicates("step", keep="last").sort_values("step")
    table = table.set_index("step").drop(columns="seconds_per_step")
    parts = [name for name in table.columns if name != "total"]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots(1, 2, width_ratios=(1, 1.4))
    for ax, names in zip(axes, (["total"], parts), strict=True):
        for index, name in enumerate(names):
            colour = f"C{index}"
            ax.plot(table.index, table[name], ".", markersize=2, alpha=0.4, color=colour)
            smooth = table[name].rolling(SMOOTHING, min_periods=1, center=True).mean()
            ax.plot(table.index, smooth, color=colour, label=name.replace("_", " "))
        ax.set_xlabel("step")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("loss")
    axes[0].set_title("weighted sum")
    axes[1].set_title("parts")
    axes[1].legend(frameon=False, fontsize="small", ncols=2)
    figure.savefig(picture, dpi=150)
