"""From averaged weights to a model that can be shipped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from nital.training.checkpoint import save_network
from nital.training.curve import plot_curve
from nital.training.export import export_compact
from nital.training.loop import TrainingOptions, load_network
from nital.training.network import NetworkConfig
from nital.training.samples import load_real_images
from nital.training.target_head import fit_target_head

__all__ = ["Finished", "finish_training"]

HEAD_CROPS = 4000


@dataclass(frozen=True)
class Finished:
    """What was made of a training.

    Parameters
    ----------
    model
        Folder for ``--model``: ``compact.json`` and the ONNX files that it holds hashes of.
    curve
        Picture of the learning curve.
    target_accuracy
        Share of held-out crops whose target the model names rightly.
    difference
        Largest relative difference of any output between ONNX Runtime and torch.
    """

    model: Path
    curve: Path
    target_accuracy: float
    difference: float


def finish_training(
    folder: Path,
    options: TrainingOptions,
    *,
    data: Path | None = None,
    config: NetworkConfig | None = None,
    head_crops: int | None = None,
) -> Finished:
    """Fit the target head, export to ONNX and draw the learning curve of a finished training.

    Parameters
    ----------
    folder
        Holds ``weights.safetensors`` and ``log.csv``; gets ``final.safetensors``, ``model/`` and
        ``curve.png``.
    options
        Of the training; recorded in the model's description.
    data
        Folder with the licensed real sets, of which the target head sees some crops too.
    head_crops
        Crops to fit the target head on; when ``None``, 4000 or as many as the training itself saw
        if those are fewer.

    Raises
    ------
    ModelError
        When the export does not reproduce torch.
    """
    crops = min(HEAD_CROPS, options.steps * options.batch) if head_crops is None else head_crops
    network = load_network(folder / "weights.safetensors", config)
    real = load_real_images(data) if data is not None else ()
    accuracy = fit_target_head(network, real, crops=crops)
    save_network(folder / "final.safetensors", network)
    facts = {**asdict(options), "target_accuracy": round(accuracy, 4)}
    differences = export_compact(
        folder / "final.safetensors", folder / "model", config=config, card={"training": facts}
    )
    plot_curve(folder / "log.csv", folder / "curve.png")
    return Finished(folder / "model", folder / "curve.png", accuracy, max(differences.values()))
