"""The straight path from a micrograph to a :class:`Segmentation`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from nital.errors import UsageError
from nital.generator.limits import parse_limits
from nital.micrograph import Micrograph

if TYPE_CHECKING:
    from nital.metrology import Measurements

__all__ = ["TARGETS", "ModelInfo", "SegmentOptions", "Segmentation", "Target", "segment"]

Target = Literal["grains", "phases", "particles", "layers"]
TARGETS: tuple[Target, ...] = get_args(Target)
MAX_PHASES = 8
MIN_CONFIDENCE = 0.5

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class SegmentOptions:
    """What to look for and how; every field is recorded in ``summary.json``."""

    target: str = "auto"
    phases: int | None = None
    model: str = "compact"
    boost: bool = True
    materials: tuple[str, ...] = ()
    crop_classifier: str | None = None
    complete_boundaries: bool = False
    min_confidence: float = MIN_CONFIDENCE
    magnification: float | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.target not in (*TARGETS, "auto"):
            raise UsageError(
                f"target must be auto or one of {', '.join(TARGETS)}, not {self.target!r}"
            )
        if self.phases is not None and not 1 <= self.phases <= MAX_PHASES:
            raise UsageError(f"the number of phases must be 1 to {MAX_PHASES}, not {self.phases}")
        if self.materials and self.target not in ("layers", "auto"):
            raise UsageError(f"materials are those of layers; leave out the target {self.target}")
        if len(set(self.materials)) < len(self.materials) or len(self.materials) > MAX_PHASES:
            raise UsageError(f"name up to {MAX_PHASES} different materials")
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(
                f"the least confidence must lie between 0 and 1, not {self.min_confidence}"
            )
        parse_limits(self.keep)
        if self.magnification is not None and not self.magnification > 0:
            raise UsageError(f"a magnification is above 0, not {self.magnification}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``summary.json``."""
        return asdict(self)


@dataclass(frozen=True)
class ModelInfo:
    """Name and SHA-256 of the weights that made the masks."""

    name: str
    sha256: str | None


@dataclass(frozen=True)
class Segmentation:
    """Labels that never overlap, with phases and confidence.

    Parameters
    ----------
    micrograph
        The image that was segmented.
    labels
        (H, W) int32; 0 = unassigned, 1...n objects, consecutive.
    phases
        (H, W) uint8; 0 = unassigned, 1 = matrix or the largest phase, 2... by falling area.
    confidence
        (H, W) uint8; 0...255, confidence of the assigned label.
    target, target_reason
        What was looked for, and why.
    model
        The weights used.
    parameters
        All options and derived settings, JSON-serialisable.
    warnings
        Sentences for the user, those of the micrograph first.
    boost_log
        One dict per candidate removed or merged: ``{"action", "reason", ...}``.
    mask_probability
        (H, W) uint8; 255 times the probability, by the logits of a mask, that the pixel belongs
        to it, and 0 where no mask claims it; ``None`` where objects come without such masks.
    """

    micrograph: Micrograph
    labels: NDArray[np.int32]
    phases: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    target: Target
    target_reason: str
    model: ModelInfo
    parameters: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    boost_log: tuple[dict[str, Any], ...] = ()
    mask_probability: NDArray[np.uint8] | None = None

    @property
    def objects(self) -> NDArray[np.int32]:
        """(n,) labels of the objects, rising."""
        return np.arange(1, int(self.labels.max(initial=0)) + 1, dtype=np.int32)

    def measure(self) -> Measurements:
        """Measure the objects and phases; see :func:`nital.metrology.measure`."""
        from nital.metrology import measure

        return measure(self)

    def save(self, folder: str | Path) -> Path:
        """Write the files of one result; see :func:`nital.report.save_result`."""
        from nital.report import save_result

        return save_result(self, Path(folder))


def segment(
    micrograph: Micrograph,
    target: str = "auto",
    *,
    phases: int | None = None,
    model: str = "compact",
    boost: bool = True,
    materials: tuple[str, ...] = (),
    crop_classifier: str | None = None,
    complete_boundaries: bool = False,
    min_confidence: float = MIN_CONFIDENCE,
    magnification: float | None = None,
    keep: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> Segmentation:
    """Segment one micrograph.

    Parameters
    ----------
    micrograph
        What to segment; its data bar is left out.
    target
        ``"grains"``, ``"phases"``, ``"particles"``, ``"layers"``, or ``"auto"`` to let the image
        decide.
    phases
        Number of phases or materials, 1...8; estimated when ``None``.
    model
        ``"compact"``, a folder with an exported compact model, detector or supervised segmenter, a
        Segment Anything model by name or path (``docs/sam.md``), or a classical method:
        ``"otsu"``, ``"adaptive"``, ``"canny"``, ``"watershed"``, ``"watershed-gradient"``.
    boost
        Remove doubtful and superfluous candidates; ``False`` shows the raw masks.
    materials
        Names of the materials of layers, told by a classifier of crops; see ``docs/boosting.md``.
    crop_classifier
        Folder of ``nital train crops``; the classifier that ships when ``None``.
    complete_boundaries
        Grains: lead boundaries that end on to the next one where the image shows them.
    min_confidence
        Particles of less confidence, 0...1, are uncertain: they stay in the labels, are drawn red,
        and sizes are given with and without them.
    magnification
        Of the image, where its file states none: a warning says when the pixel size contradicts
        it, and of two detectors for particles the one below or above 10,000x is taken.
    keep
        Limits of the objects that stay, such as ``("area=0.5..20um2", "circularity=0.6..")``; see
        ``docs/usage.md``.
    progress
        Called with a stage's name and the share of it that is done, 0...1.

    Raises
    ------
    UsageError
        When the target, the number of phases or a limit is not possible.
    ModelError
        When the model is unknown or its weights are damaged.
    """
    from nital.automatic.screened import keep_objects
    from nital.io.magnification import with_given_magnification
    from nital.polycrystals.refine import complete_grains

    names = tuple(materials)
    rest = (crop_classifier, complete_boundaries, min_confidence, magnification, tuple(keep))
    options = SegmentOptions(target, phases, model, boost, names, *rest)
    micrograph = with_given_magnification(micrograph, magnification)
    found = _find(micrograph, options, progress or (lambda stage, share: None))
    if complete_boundaries and found.target == "grains":
        found = complete_grains(found)
    return keep_objects(found, options.keep) if keep else found


def _find(micrograph: Micrograph, options: SegmentOptions, progress: Progress) -> Segmentation:
    """Ask a classical method, a supervised segmenter or a promptable model."""
    from nital.automatic.prompted import run_prompted
    from nital.automatic.straight_path import run
    from nital.classical import CLASSICAL_METHODS, classical_segment
    from nital.classical.choice import threshold_where_as_good
    from nital.detection.scales import is_detector
    from nital.detection.segmenter import detector_segment
    from nital.models import is_promptable
    from nital.polycrystals.refine import without_scratches
    from nital.semantic.model import find_semantic_model, load_semantic_model
    from nital.semantic.segmenter import semantic_segment

    if options.model in CLASSICAL_METHODS:
        if options.target == "auto":
            raise UsageError(f"--model {options.model} needs a --target: {', '.join(TARGETS)}")
        target = cast(Target, options.target)
        return classical_segment(micrograph, options.model, target, options.phases)
    folder = find_semantic_model(options.model)
    if folder is not None:
        return semantic_segment(micrograph, load_semantic_model(folder), options, progress)
    if is_detector(options.model):
        return detector_segment(micrograph, options, progress)
    prompted = is_promptable(options.model)
    found = (run_prompted if prompted else run)(micrograph, options, progress)
    if options.boost and found.target == "grains":
        return without_scratches(found)
    if options.boost and options.target == "auto" and not prompted:
        return threshold_where_as_good(found)
    return found
