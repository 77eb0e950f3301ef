"""Segment Anything models behind Nital's protocol: SAM, HQ-SAM, SAM 2 and 2.1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nital.errors import UsageError
from nital.models.protocol import Decoded, Embedding, Selected
from nital.models.sam.decoder import decode_batch, prepare_image
from nital.models.sam.high_quality import decode_high_quality, fine_features
from nital.prompts import PromptSet

__all__ = ["SamSegmenter"]

Family = Literal["sam", "sam_hq", "sam2"]

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)  # of the images that SAM was trained on
SPREAD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
DARKEST, BRIGHTEST = -2.1, 2.6  # what 0 and 255 are after its normalisation
BYTES_A_PROMPT = 80_000_000  # that decoding takes at 64 x 64 positions and 256 channels
PROCESSOR_BATCH = 8
LARGEST_BATCH = 256
NO_POINT = -10  # the label by which transformers leaves a point out


@dataclass(frozen=True)
class SamSegmenter:
    """One Segment Anything model; see :mod:`nital.models.sam.load` for where it comes from.

    Parameters
    ----------
    name, sha256
        For reports; the hash is that of the weights' file.
    family
        ``"sam"``, ``"sam_hq"`` or ``"sam2"``.
    network
        The model of transformers, in evaluation mode.
    fast
        Use Nital's own decoder, for the families ``"sam"`` and ``"sam_hq"``; ``"sam2"``, and
        ``False``, use that of transformers, which is wrong for ``"sam_hq"``
        (:mod:`nital.models.sam.high_quality`).
    half
        Encode images in bfloat16.
    """

    name: str
    sha256: str | None
    family: Family
    network: Any
    fast: bool = True
    half: bool = False

    @property
    def side(self) -> int:
        """Side of the square that an image is resized to, in pixels."""
        return int(self.network.config.prompt_encoder_config.image_size)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        first: Tensor = next(iter(self.network.parameters()))
        return first.device

    def embed(self, image: NDArray[Any], target: str = "") -> Embedding:
        """Embed an (H, W) image: standardised float32, or uint8 as SAM's own tools take it.

        A standardised image is what SAM normalises to, so it is used as it is, limited to the
        range of 8-bit images. The target is of no use to SAM.
        """
        shape = (image.shape[0], image.shape[1])
        fitted = self._fitted(shape)
        pixels = torch.from_numpy(_normalised(image, fitted, self.side)).to(self.device)
        kind = self.device.type
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=self.half):
            encoded = self.network.get_image_embeddings(pixels[None])
        maps: dict[str, Any] = {"encoded": _in_full(encoded), "fitted": fitted}
        if self.family != "sam2" and self.fast:
            with torch.inference_mode():
                coded, early = self._of_encoder(maps["encoded"])
                dense = self.network.prompt_encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
                positions = self.network.get_image_wide_positional_embeddings()
                decoder = self.network.mask_decoder
                maps["state"] = prepare_image(decoder, coded, dense, positions)
                if early is not None:
                    maps["features"] = fine_features(decoder, coded, early)
        return Embedding(shape, maps)

    def decode(self, embedding: Embedding, prompts: PromptSet, level: str = "object") -> Decoded:
        """The three masks of each prompt, by falling ambiguity: whole, part, part of a part.

        Raises
        ------
        UsageError
            For a point outside the image, or another level than ``"object"``.
        """
        found = self.decode_selected(embedding, prompts, level=level)
        count = len(prompts)
        order = np.argsort(found.prompts, kind="stable")
        logits = found.logits[order].reshape(count, -1, *found.logits.shape[1:])
        windows = found.windows[order].reshape(count, -1, 4)
        return Decoded(logits, found.scores[order].reshape(count, -1), windows)

    def decode_selected(
        self,
        embedding: Embedding,
        prompts: PromptSet,
        *,
        lowest_score: float = -np.inf,
        best: bool = False,
        level: str = "object",
    ) -> Selected:
        """Only masks with a predicted IoU above a bar; of each prompt the best only, if asked for.

        Raises
        ------
        UsageError
            For a point outside the image, or another level than ``"object"``.
        """
        prompts.check_inside(embedding.shape)
        if level != "object":
            raise UsageError(f"{self.name} knows objects, not {level!r}; the compact model does")
        logits, scores, index = [], [], []
        with torch.inference_mode():
            for some, sparse in self._sparse(embedding, prompts):
                drawn, predicted, which = self._decode(embedding, sparse, lowest_score, best)
                logits.append(drawn.float().cpu().numpy())
                scores.append(predicted.float().cpu().numpy())
                index.append(some[which.cpu().numpy()])
        side = self._low_side
        if not logits:
            logits.append(np.zeros((0, side, side), np.float32))
            scores.append(np.zeros(0, np.float32))
            index.append(np.zeros(0, np.intp))
        count = sum(len(each) for each in scores)
        return Selected(
            np.concatenate(logits),
            np.concatenate(scores),
            np.tile(self._window(embedding), (count, 1)),
            np.concatenate(index),
        )

    def enlarge(self, embedding: Embedding, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, g, g) logits at the image's size as SAM's own tools do: padded square first."""
        with torch.inference_mode():
            square = torch.from_numpy(logits)[None]
            if self.family != "sam2":
                size = (self.side, self.side)
                square = functional.interpolate(square, size, mode="bilinear")
                height, width = embedding.maps["fitted"]
                square = square[..., :height, :width]
            whole = functional.interpolate(square, embedding.shape, mode="bilinear")
        return np.asarray(whole[0].numpy())

    @property
    def _low_side(self) -> int:
        return 4 * int(self.network.config.prompt_encoder_config.image_size) // self._patch

    @property
    def _patch(self) -> int:
        config = self.network.config
        if self.family == "sam2":
            return int(config.prompt_encoder_config.patch_size)
        return int(config.vision_config.patch_size)

    def _fitted(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the image inside the square; SAM 2 stretches it to the whole."""
        if self.family == "sam2":
            return self.side, self.side
        factor = self.side / max(shape)
        return int(shape[0] * factor + 0.5), int(shape[1] * factor + 0.5)

    def _window(self, embedding: Embedding) -> NDArray[np.float32]:
        """The part of the image plane that a mask's grid covers: the image and its padding."""
        height, width = embedding.maps["fitted"]
        rows, cols = embedding.shape
        edges = [0, 0, rows * self.side / height, cols * self.side / width]
        return np.array(edges, dtype=np.float32)

    def _sparse(
        self, embedding: Embedding, prompts: PromptSet
    ) -> Iterator[tuple[NDArray[np.intp], tuple[Tensor, Tensor, Tensor | None]]]:
        """Batches of points, labels and boxes in the square's x and y, and which prompts they are.

        SAM's coordinates name pixels by whole numbers, as Nital's do.
        """
        given = prompts.boxes[:, 2] > prompts.boxes[:, 0]
        height, width = embedding.maps["fitted"]
        scale = np.array([width / embedding.shape[1], height / embedding.shape[0]], np.float32)
        points = prompts.points[:, :, ::-1] * scale
        labels = np.where(prompts.labels >= 0, prompts.labels, NO_POINT)
        corners = (prompts.boxes[:, [1, 0, 3, 2]] - [0, 0, 1, 1]) * np.tile(scale, 2)
        batch = self._batch
        for boxed in (False, True):
            group = np.flatnonzero(given == boxed)
            for start in range(0, len(group), batch):
                some = group[start : start + batch]
                tensors = [
                    torch.from_numpy(np.ascontiguousarray(array[some], np.float32))
                    for array in (points, labels, corners)
                ]
                placed, label, box = (tensor.to(self.device)[None] for tensor in tensors)
                yield some, (placed, label, box if boxed else None)

    def _decode(
        self,
        embedding: Embedding,
        sparse: tuple[Tensor, Tensor, Tensor | None],
        lowest_score: float,
        best: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Wanted masks of one batch of prompts: logits, scores, and index in the batch."""
        points, labels, boxes = sparse
        if "state" in embedding.maps:
            embedded, _ = self.network.prompt_encoder(points, labels, boxes, None)
            state, decoder = embedding.maps["state"], self.network.mask_decoder
            if "features" in embedding.maps:
                fine = embedding.maps["features"]
                return decode_high_quality(decoder, state, fine, embedded[0], lowest_score, best)
            return decode_batch(decoder, state, embedded[0], lowest_score, best)
        encoded, early = self._of_encoder(embedding.maps["encoded"])
        more = {} if early is None else {"intermediate_embeddings": early}
        answer = self.network(
            image_embeddings=encoded,
            input_points=points,
            input_labels=labels.int(),
            input_boxes=boxes,
            multimask_output=True,
            **more,
        )
        scores = answer.iou_scores[0]
        wanted = scores > lowest_score
        if best:
            top = torch.zeros_like(wanted)
            wanted = wanted & top.scatter_(1, scores.argmax(1, keepdim=True), 1)
        return answer.pred_masks[0][wanted], scores[wanted], wanted.nonzero()[:, 0]

    def _of_encoder(self, encoded: Any) -> tuple[Any, list[Tensor] | None]:
        """The image as the decoder takes it, and for HQ-SAM the early layers beside it."""
        return tuple(encoded) if self.family == "sam_hq" else (encoded, None)

    @property
    def _batch(self) -> int:
        """Prompts decoded at once: as many as a quarter of the free memory of a GPU holds."""
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            return int(np.clip(free // 4 // BYTES_A_PROMPT, PROCESSOR_BATCH, LARGEST_BATCH))
        return PROCESSOR_BATCH if self.device.type == "cpu" else 4 * PROCESSOR_BATCH


def _normalised(image: NDArray[Any], fitted: tuple[int, int], side: int) -> NDArray[np.float32]:
    """(3, side, side): the image resized as SAM's own tools do, normalised and padded."""
    from PIL import Image

    if image.dtype == np.uint8:
        source = Image.fromarray(image)
    else:
        limited = np.clip(image, DARKEST, BRIGHTEST, dtype=np.float32)
        source = Image.fromarray(np.ascontiguousarray(limited))
    if source.size != (fitted[1], fitted[0]):
        source = source.resize((fitted[1], fitted[0]), Image.Resampling.BILINEAR)
    grey = np.asarray(source, dtype=np.float32)[None]
    square = np.zeros((3, side, side), dtype=np.float32)
    if image.dtype == np.uint8:
        grey = (grey / np.float32(255) - MEAN[:, None, None]) / SPREAD[:, None, None]
    square[:, : fitted[0], : fitted[1]] = grey
    return square


def _in_full(encoded: Any) -> Any:
    """The same tensors in float32, in the same lists."""
    if isinstance(encoded, Tensor):
        return encoded.float()
    return [_in_full(each) for each in encoded]
