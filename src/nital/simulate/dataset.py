"""Folders of simulated micrographs with their truth, in the layout that ``nital bench`` reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nital
from nital.errors import OutputError, UsageError
from nital.io import atomic_write, write_label_tiff
from nital.simulate.imaging import ImagingOptions, image_scene
from nital.simulate.layers import simulate_layers
from nital.simulate.phases import simulate_phases
from nital.simulate.scene import Scene
from nital.simulate.specimen import simulate_scene
from nital.simulate.stem_image import simulate_stem
from nital.simulate.stem_specimen import MOST_MATERIALS

__all__ = ["SetOptions", "write_dataset"]

TASKS = {
    "grains": "boundaries",
    "phases": "phases",
    "particles": "instances",
    "layers": "layers",
}
FOLDERS = ("images", "labels", "objects", "phases")
MOST_PHASES = {"phases": 4, "layers": 8}
TWIN = ["material 2"]  # in class 3, but for a dopant the same as material 1
STEM_CLASSES = ("1", "2", "3", "mixed")


@dataclass(frozen=True)
class SetOptions:
    """What a set of simulated micrographs shows.

    Parameters
    ----------
    target
        ``"grains"``, ``"phases"``, ``"particles"`` or ``"layers"``.
    count
        Number of micrographs.
    size
        Side of the square micrographs in pixels, at least 64.
    seed
        Micrograph k of a seed is the same in sets of any length.
    scale
        Mean object size in pixels, at least 3; drawn anew for each micrograph when ``None``.
    phases
        Number of phases (matrix included, 2...4) or of layer materials (2...8), the same in all
        micrographs; 2 phases or 3 materials when ``None``. Other targets have none to choose.
    stem
        Layers only: atomic-resolution STEM cross-sections of difficulty class ``"1"``, ``"2"`` or
        ``"3"``, or ``"mixed"`` for the three by turns, with 2...5 materials.

    Raises
    ------
    UsageError
        An option is out of range, or does not apply to the target.
    """

    target: str
    count: int = 10
    size: int = 512
    seed: int = 0
    scale: float | None = None
    phases: int | None = None
    stem: str | None = None

    def __post_init__(self) -> None:
        if self.target not in TASKS:
            raise UsageError(f"target must be one of {', '.join(TASKS)}, not {self.target!r}")
        if self.count < 1 or self.size < 64 or self.seed < 0:
            raise UsageError("a set needs a count of 1, a size of 64 and a seed of 0 at least")
        if self.scale is not None and (self.target == "layers" or self.scale < 3):
            raise UsageError(
                "the scale must be 3 pixels at least, and layers have none; leave it out"
            )
        if self.stem is not None and (self.target != "layers" or self.stem not in STEM_CLASSES):
            raise UsageError(
                f"STEM cross-sections are layers of class {', '.join(STEM_CLASSES)}, not "
                f"{self.target} of class {self.stem!r}"
            )
        most = MOST_PHASES.get(self.target, 0) if self.stem is None else MOST_MATERIALS
        if self.phases is not None and not 2 <= self.phases <= most:
            allowed = f"must lie between 2 and {most}" if most else "does not apply"
            raise UsageError(f"for {self.target} the number of phases {allowed}")

    @property
    def task(self) -> str:
        """How ``nital bench`` scores the set."""
        return TASKS[self.target]

    def difficulty(self, index: int) -> int | None:
        """Difficulty class of one micrograph, of STEM cross-sections."""
        if self.stem is None:
            return None
        return 1 + index % 3 if self.stem == "mixed" else int(self.stem)

    @property
    def classes(self) -> dict[int, str]:
        """Names of the values in ``labels/``; empty where they are object numbers."""
        if self.target == "grains":
            return {0: "grain", 1: "grain boundary"}
        if self.target == "phases":
            return {1: "matrix"} | {n: f"phase {n}" for n in range(2, (self.phases or 2) + 1)}
        if self.target == "layers":
            materials = {n: f"material {n}" for n in range(1, (self.phases or 3) + 1)}
            return {0: "gaps, not labelled" if self.stem else "vacuum and pores"} | materials
        return {}


def write_dataset(
    out: Path, options: SetOptions, progress: Callable[[int], object] | None = None
) -> None:
    """Simulate micrographs and write them with their truth.

    Parameters
    ----------
    out
        Folder, made when missing. ``images/`` holds grey levels (PNG); ``objects/`` the number of
        the object at each pixel; ``phases/`` its phase; ``labels/`` what ``nital bench`` scores:
        grain boundaries, phases, particles or materials. ``dataset.toml`` is written last.
    options
        What to simulate.
    progress
        Called with the number of micrographs that are done.

    Raises
    ------
    UsageError
        ``out`` holds a data set already.
    OutputError
        Something cannot be written.
    """
    settings = out / "dataset.toml"
    if settings.exists():
        raise UsageError(f"{out} holds a data set already; choose another --out")
    try:
        for name in FOLDERS:
            (out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{out}: cannot be made, {reason}; choose another --out") from error
    for index in range(options.count):
        _write_one(out, options, index)
        if progress is not None:
            progress(index + 1)
    text = _settings(options)
    atomic_write(settings, lambda path: path.write_text(text, encoding="utf-8"))


def _write_one(out: Path, options: SetOptions, index: int) -> None:
    from PIL import Image

    rng = np.random.default_rng([options.seed, index])
    difficulty = options.difficulty(index)
    if difficulty is None:
        scene = _scene(rng, options)
        image = image_scene(rng, scene, ImagingOptions(annotations=False))
    else:
        scene, image = _stem_scene(rng, options, difficulty)
    stem = _name(options, index)
    phases = scene.phases - 1 if options.target == "layers" else scene.phases
    atomic_write(out / "images" / f"{stem}.png", lambda path: Image.fromarray(image).save(path))
    files: dict[str, NDArray[Any]] = {
        "labels": _labels(scene),
        "objects": scene.objects,
        "phases": phases,
    }
    for folder, values in files.items():
        write_label_tiff(out / folder / f"{stem}.tif", values, None)


def _name(options: SetOptions, index: int) -> str:
    return f"{options.target}_{index:04d}"


def _stem_scene(
    rng: np.random.Generator, options: SetOptions, difficulty: int
) -> tuple[Scene, NDArray[np.uint8]]:
    """An atomic-resolution cross-section and its image; phase 1 is unfilled gaps."""
    shape = (options.size, options.size)
    shown = simulate_stem(
        rng, shape, difficulty=difficulty, materials=options.phases or 3, vacuum=False
    )
    flat = np.zeros(shape, dtype=np.float32)
    phases = shown.scene.phases
    return Scene("layers", phases.astype(np.int32), phases + np.uint8(1), flat, flat), shown.image


def _scene(rng: np.random.Generator, options: SetOptions) -> Scene:
    shape = (options.size, options.size)
    if options.target == "phases":
        return simulate_phases(rng, shape, scale=options.scale, n_phases=options.phases or 2)
    if options.target == "layers":
        return simulate_layers(rng, shape, n_materials=options.phases or 3)
    return simulate_scene(rng, options.target, shape, scale=options.scale)


def _labels(scene: Scene) -> NDArray[Any]:
    """What is scored: boundaries two pixels wide, phases, particles, or materials."""
    if scene.target == "particles":
        return scene.objects
    if scene.target == "phases":
        return scene.phases
    if scene.target == "layers":
        return scene.phases - np.uint8(1)
    from skimage.segmentation import find_boundaries

    edge = find_boundaries(scene.objects, mode="thick")
    return np.asarray(edge, dtype=np.uint8)


def _settings(options: SetOptions) -> str:
    """``dataset.toml``: the task, the classes, and how to make the set again."""
    scale = "" if options.scale is None else f" --scale {options.scale:g}"
    phases = "" if options.phases is None else f" --phases {options.phases}"
    command = (
        f"nital simulate --target {options.target} --count {options.count} --size {options.size} "
        f"--seed {options.seed}{scale}{phases}"
    )
    if options.stem is not None:
        command += f" --stem {options.stem}"
    facts: dict[str, Any] = {
        "name": f"Simulated {options.target}" + (", STEM" if options.stem else ""),
        "task": options.task,
        "modality": "simulated",
        "licence": "none needed: no image of a real specimen is behind it",
        "use": "train",
        "notes": f"Made by Nital {nital.__version__}: {command}",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in facts.items()]
    if options.stem is not None:
        if options.stem == "3":
            lines.append(f"hard = {json.dumps(TWIN)}")
        lines += ["", "[difficulty]"]
        lines += [f"{_name(options, k)} = {options.difficulty(k)}" for k in range(options.count)]
    if options.classes:
        lines += ["", "[classes]"]
        lines += [f"{value} = {json.dumps(name)}" for value, name in options.classes.items()]
    return "\n".join(lines) + "\n"
