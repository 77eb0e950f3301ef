"""``nital train unet|segnet|transunet``: a supervised segmenter for a labelled set of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nital.cli.options import Out
from nital.cli.training import check_installed, exit_status

if TYPE_CHECKING:
    from rich.console import Console

    from nital.semantic.loop import SemanticOptions

__all__ = ["add_semantic_commands", "train_semantic_command"]

NAMES = {"unet": "U-Net", "segnet": "SegNet", "transunet": "TransUNet"}
HELP = (
    "Train a {} on a labelled set: phases, layers, boundaries or named classes.\n\n"
    "Images are split 6:2:2. The weights of the least loss on the second part are kept; the third "
    "part is never seen and is scored at the end. Goes on where DIR holds a checkpoint. DIR is "
    "then what **--model** and **--methods** take."
)
EPILOG = (
    "Examples: nital train {0} my-set --out runs/{0} · "
    "nital segment new.tif --model runs/{0} --out results · "
    "nital bench my-set --split test --methods runs/{0},otsu,compact --out scores"
)

Folder = Annotated[
    Path,
    typer.Argument(
        metavar="FOLDER",
        help="Labelled set: images/, labels/ and dataset.toml with its classes, or image/ and "
        "label/ as MatSAM publishes them.",
        show_default=False,
    ),
]
Width = Annotated[
    int,
    typer.Option(
        min=4,
        metavar="N",
        help="Channels at full resolution, a multiple of 4; 64 in the papers of these networks, "
        "four times as slow with every doubling.",
    ),
]
Crop = Annotated[
    int, typer.Option(min=64, metavar="PX", help="Side of the training crops, a multiple of 32.")
]
CropsPerImage = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Crops of each image in an epoch; 0: as many as cover it."
    ),
]
Batch = Annotated[int, typer.Option(min=2, metavar="N", help="Crops a step.")]
Epochs = Annotated[int, typer.Option(min=1, metavar="N", help="At most so many epochs.")]
Patience = Annotated[
    int, typer.Option(min=1, metavar="N", help="Epochs without gain after which training stops.")
]
Seed = Annotated[int, typer.Option(min=0, help="Decides first weights, crops and flips.")]
Bf16 = Annotated[
    bool | None,
    typer.Option(
        "--bf16/--no-bf16",
        help="Mixed precision in bfloat16; when left out, both formats are timed and the faster "
        "taken.",
        show_default=False,
    ),
]
Encoder = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Encoder to start from: weights.safetensors of an earlier training of the same "
        "network and width; for segnet of width 64 also a VGG-16 with batch normalisation, "
        "saved as safetensors.",
        show_default=False,
    ),
]


def semantic_command(architecture: str) -> Callable[..., None]:
    """The function behind ``nital train ARCHITECTURE``."""

    def train(
        folder: Folder,
        out: Out,
        width: Width = 16,
        crop: Crop = 256,
        crops_per_image: CropsPerImage = 0,
        batch: Batch = 4,
        epochs: Epochs = 200,
        patience: Patience = 10,
        seed: Seed = 0,
        bf16: Bf16 = None,
        encoder: Encoder = None,
    ) -> None:
        raise typer.Exit(
            train_semantic_command(
                architecture,
                folder,
                out,
                encoder,
                bf16,
                width=width,
                crop=crop,
                crops_per_image=crops_per_image,
                batch=batch,
                epochs=epochs,
                patience=patience,
                seed=seed,
            )
        )

    return train


def add_semantic_commands(app: typer.Typer) -> None:
    """Add ``unet``, ``segnet`` and ``transunet``."""
    for architecture, name in NAMES.items():
        app.command(architecture, help=HELP.format(name), epilog=EPILOG.format(architecture))(
            semantic_command(architecture)
        )


def train_semantic_command(
    architecture: str,
    folder: Path,
    out: Path,
    encoder: Path | None,
    bf16: bool | None,
    **chosen: int,
) -> int:
    """Train, export and score the test part; return the exit status.

    Images of the set that cannot be used are named and left out.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def work() -> bool:
        check_installed()
        _check_sizes(chosen["crop"], chosen["width"])
        from nital.semantic.loop import SemanticOptions

        options = SemanticOptions(architecture=architecture, bf16=bool(bf16), **chosen)
        return _train(console, folder, out, options, encoder, time_first=bf16 is None)

    return exit_status(console, out, work)


def _check_sizes(crop: int, width: int) -> None:
    from nital.errors import UsageError

    if crop % 32 or width % 4:
        raise UsageError(
            f"--crop must be a multiple of 32 and --width one of 4, not {crop} and {width}"
        )


def _train(
    console: Console,
    folder: Path,
    out: Path,
    options: SemanticOptions,
    encoder: Path | None,
    time_first: bool,
) -> bool:
    """Train and finish; return whether images had to be left out."""
    from dataclasses import replace

    from nital.semantic.export import finish_semantic
    from nital.semantic.loop import Epoch, time_number_formats, train_semantic
    from nital.semantic.samples import load_semantic_set

    data = load_semantic_set(folder)
    for note in data.notes:
        console.print(f"note: {note}", markup=False)
    counts = ", ".join(f"{len(data.parts[part])} {part}" for part in data.parts)
    console.print(f"{data.dataset.name}: {counts}; classes {', '.join(data.classes)}", markup=False)
    if time_first:
        with console.status("timing a step in float32 and bfloat16"):
            seconds = time_number_formats(data, options)
        faster = min(seconds, key=lambda name: seconds[name])
        console.print(
            f"a step takes {seconds['float32']:.2f} s in float32 and {seconds['bfloat16']:.2f} s "
            f"in bfloat16; {faster} is used"
        )
        options = replace(options, bf16=faster == "bfloat16")

    def show(row: Epoch, best: bool) -> None:
        console.print(
            f"epoch {row.epoch}: loss {row.train_loss:.3f}, validation {row.validation_loss:.3f}, "
            f"mean IoU {row.validation_iou:.3f}, {row.seconds:.0f} s{', best so far' * best}"
        )

    train_semantic(out, data, options, encoder=encoder, report=show)
    with console.status("exporting, scoring the test part"):
        finished = finish_semantic(out, data, options)
    for name, scores in finished.scores.items():
        line = ", ".join(f"{metric} {value:.3f}" for metric, value in scores.items())
        console.print(f"test part, {name}: {line}", markup=False)
    console.print(f"use it with --model {out}; look at {finished.curve}", markup=False)
    return len(data.notes) > 0
