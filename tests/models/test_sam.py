"""Segment Anything models from folders and checkpoints: the same answers, or one clear sentence."""

from __future__ import annotations

import json
import resource
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.generator.conftest import small_sam, specimen

from nital.errors import ModelError, UsageError
from nital.generator.crops import grid_points
from nital.models import load_model
from nital.prompts import PromptSet

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

# What segment_anything calls a weight, by its name in transformers: replaced one after the other.
ORIGINAL = (
    ("shared_image_embedding.positional_embedding",
     "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    ("vision_encoder.patch_embed.projection", "image_encoder.patch_embed.proj"),
    ("vision_encoder.neck.conv1", "image_encoder.neck.0"),
    ("vision_encoder.neck.layer_norm1", "image_encoder.neck.1"),
    ("vision_encoder.neck.conv2", "image_encoder.neck.2"),
    ("vision_encoder.neck.layer_norm2", "image_encoder.neck.3"),
    ("vision_encoder.layers", "image_encoder.blocks"),
    ("vision_encoder", "image_encoder"),
    ("prompt_encoder.point_embed.", "prompt_encoder.point_embeddings."),
    ("mask_embed.conv1", "mask_downscaling.0"),
    ("mask_embed.layer_norm1", "mask_downscaling.1"),
    ("mask_embed.conv2", "mask_downscaling.3"),
    ("mask_embed.layer_norm2", "mask_downscaling.4"),
    ("mask_embed.conv3", "mask_downscaling.6"),
    ("upscale_conv1", "output_upscaling.0"),
    ("upscale_layer_norm", "output_upscaling.1"),
    ("upscale_conv2", "output_upscaling.3"),
    ("layer_norm_final_attn", "norm_final_attn"),
    ("layer_norm", "norm"),
)  # fmt: skip


def original_name(name: str) -> str:
    if "hypernetworks" in name or "iou_prediction_head" in name:
        for ours, theirs in ((".layers.0.", ".layers.1."), ("proj_in", "layers.0"),
                             ("proj_out", "layers.2")):  # fmt: skip
            name = name.replace(ours, theirs)
    for ours, theirs in ORIGINAL:
        name = name.replace(ours, theirs)
    return name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small-sam"
    small_sam(side=128).save_pretrained(path)
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def answers(model: Any, boxes: bool = False) -> tuple[np.ndarray, np.ndarray]:
    prompts = PromptSet.from_points(grid_points((90, 128), 3))
    if boxes:
        given = np.tile(np.array([10, 10, 60, 70], np.float32), (len(prompts), 1))
        given[::2] = 0
        prompts = PromptSet(prompts.points, prompts.labels, given)
    decoded = model.decode(model.embed(specimen((90, 128))), prompts, "object")
    return decoded.logits, decoded.scores


def test_a_folder_of_transformers(folder: Path) -> None:
    model = load_model(str(folder))
    assert model.name == "small-sam"
    assert len(str(model.sha256)) == 64
    logits, scores = answers(model)
    assert logits.shape == (9, 3, 32, 32)
    assert scores.shape == (9, 3)
    boxed, _ = answers(model, boxes=True)
    np.testing.assert_allclose(boxed[::2], logits[::2], atol=1e-4)
    assert abs(boxed[1::2] - logits[1::2]).max() > 0.01


def save_original(folder: Path, checkpoint: Path) -> None:
    """The same weights as the authors saved them."""
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    shared = "prompt_encoder.shared_embedding.positional_embedding"
    if shared in weights:
        weights["shared_image_embedding.positional_embedding"] = weights.pop(shared)
    torch.save({original_name(name): tensor for name, tensor in weights.items()}, checkpoint)


def test_a_checkpoint_of_the_authors_is_converted_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "cache"))
    save_original(folder, tmp_path / "sam_small.pth")
    model = load_model(str(tmp_path / "sam_small.pth"))
    for found, expected in zip(answers(model), answers(load_model(str(folder))), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    converted = next((tmp_path / "cache" / "models").iterdir())
    assert sorted(p.name for p in converted.iterdir()) == [
        "config.json",
        "manifest.json",
        "model.safetensors",
    ]


class TestNoRoomForTheCache:
    def test_a_disk_that_fills_up(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A limit on the size of files stands for a full disk."""
        monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "cache"))
        save_original(folder, tmp_path / "sam_small.pth")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
        try:
            with pytest.raises(ModelError, match=r"cannot be written .* set NITAL_CACHE"):
                load_model(str(tmp_path / "sam_small.pth"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert not list((tmp_path / "cache" / "models").iterdir())

    def test_a_cache_that_is_no_folder(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("NITAL_CACHE", str(tmp_path / "file"))
        save_original(folder, tmp_path / "sam_small.pth")
        with pytest.raises(ModelError, match=r"cannot be written .* set NITAL_CACHE"):
            load_model(str(tmp_path / "sam_small.pth"))


def test_points_outside_and_phases_are_refused(folder: Path) -> None:
    model = load_model(str(folder))
    embedding = model.embed(specimen((90, 128)), "particles")
    with pytest.raises(UsageError, match="outside the image"):
        model.decode(embedding, PromptSet.from_points(np.array([[95.0, 3.0]])), "object")
    with pytest.raises(UsageError, match="the compact model does"):
        model.decode(embedding, PromptSet.from_points(np.array([[5.0, 3.0]])), "phase")


class TestBadFolders:
    def test_cut_off(self, copy: Path) -> None:
        weights = copy / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(ModelError, match="cut off or damaged"):
            load_model(str(copy))

    def test_another_architecture(self, copy: Path) -> None:
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
        with pytest.raises(ModelError, match="type 'bert', not one of the Segment Anything"):
            load_model(str(copy))

    def test_weights_of_another_model(self, copy: Path) -> None:
        from safetensors.torch import save_file

        save_file({"other": torch.zeros(3)}, copy / "model.safetensors", {"format": "pt"})
        with pytest.raises(ModelError, match="does not hold the weights"):
            load_model(str(copy))

    def test_pickled_weights(self, copy: Path) -> None:
        (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
        with pytest.raises(ModelError, match="is a pickle"):
            load_model(str(copy))

    def test_no_weights(self, copy: Path) -> None:
        (copy / "model.safetensors").unlink()
        with pytest.raises(ModelError, match="is missing; copy all files"):
            load_model(str(copy))


def test_a_device_that_is_not_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nital.models.sam.load import load_folder

    monkeypatch.setenv("NITAL_DEVICE", "abacus")
    with pytest.raises(UsageError, match="'abacus' is not here"):
        load_folder(folder, "small")


def agreement(one: Any, two: Any) -> float:
    """Share of the cells of all masks that two models agree on."""
    return float(((answers(one)[0] > 0) == (answers(two)[0] > 0)).mean())


def test_bfloat16_changes_masks_little(folder: Path) -> None:
    from nital.models.sam.load import load_folder

    full = load_folder(folder, "small", device="cpu")
    half = replace(full, half=True)
    assert agreement(full, half) > 0.99
    assert not np.array_equal(answers(full)[0], answers(half)[0])


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_accelerator_gives_what_the_processor_gives(folder: Path, device: str) -> None:
    from nital.models.sam.load import load_folder

    if not {"cuda": torch.cuda, "mps": torch.backends.mps}[device].is_available():
        pytest.skip(f"there is no {device} here")
    there = load_folder(folder, "small", device=device)
    assert there.device.type == device
    assert agreement(load_folder(folder, "small", device="cpu"), there) > 0.99


def small_hq() -> Any:
    from transformers import SamHQConfig, SamHQModel

    plain = small_sam(side=128).config.to_dict()
    decoder = {**plain["mask_decoder_config"], "vit_dim": 32}
    decoder.pop("model_type", None)
    parts = {"vision_config": plain["vision_config"],
             "prompt_encoder_config": plain["prompt_encoder_config"]}  # fmt: skip
    torch.manual_seed(0)
    return SamHQModel(SamHQConfig(**parts, mask_decoder_config=decoder)).eval()


def published_hq_masks(network: Any, pixels: Any, points: Any) -> tuple[Any, Any]:
    """HQ-SAM as it was published: SAM's masks, each with the mask of the HQ token added."""
    decoder = network.mask_decoder
    image, early = network.get_image_embeddings(pixels)
    labels = torch.ones(1, *points.shape[1:3], dtype=torch.int)
    sparse, dense = network.prompt_encoder(points, labels, None, None)
    own = [decoder.iou_token.weight, decoder.mask_tokens.weight, decoder.hq_token.weight]
    count, (height, width) = points.shape[1], image.shape[2:]
    tokens = torch.cat([torch.cat(own).expand(1, count, -1, -1), sparse], dim=2)
    tokens, seen = decoder.transformer(
        point_embeddings=tokens,
        image_embeddings=(image + dense).expand(count, -1, -1, -1),
        image_positional_embeddings=network.get_image_wide_positional_embeddings().expand(
            count, -1, -1, -1
        ),
        attention_similarity=None,
    )
    seen = seen.reshape(count, height, width, -1).permute(0, 3, 1, 2)
    up = decoder.activation(decoder.upscale_layer_norm(decoder.upscale_conv1(seen)))
    up = decoder.activation(decoder.upscale_conv2(up))
    fine = decoder.mask_conv2(decoder.activation(decoder.mask_norm(decoder.mask_conv1(up))))
    late = decoder.activation(decoder.encoder_norm(decoder.encoder_conv1(image)))
    first = decoder.compress_vit_conv1(early[0].permute(0, 3, 1, 2))
    first = decoder.activation(decoder.compress_vit_norm(first))
    fine = fine + decoder.encoder_conv2(late) + decoder.compress_vit_conv2(first)
    masks = []
    for index, vector in enumerate(decoder.output_hypernetworks_mlps[1:], 2):
        masks.append((vector(tokens[0, :, index])[:, :, None, None] * up).sum(1))
    more = (decoder.hq_mask_mlp(tokens[0, :, 5])[:, :, None, None] * fine).sum(1)
    return torch.stack(masks, 1) + more[:, None], decoder.iou_prediction_head(tokens[0, :, 0])


def test_hq_sam_is_what_was_published(tmp_path: Path) -> None:
    network = small_hq()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    network.save_pretrained(tmp_path / "hq")
    model = load_model(str(tmp_path / "hq"))
    assert model.family == "sam_hq"
    prompts = PromptSet.from_points(grid_points((128, 128), 3))
    embedding = model.embed(specimen((128, 128)))
    decoded = model.decode(embedding, prompts)
    points = torch.from_numpy(np.ascontiguousarray(prompts.points[:, :, ::-1], np.float32))[None]
    from nital.models.sam.model import _normalised

    pixels = torch.from_numpy(_normalised(specimen((128, 128)), (128, 128), 128))[None]
    with torch.inference_mode():
        masks, scores = published_hq_masks(network.eval(), pixels, points)
    np.testing.assert_allclose(decoded.scores, scores[:, 1:].numpy(), atol=1e-4)
    np.testing.assert_allclose(decoded.logits, masks.numpy(), atol=1e-3)
    bar = float(np.median(decoded.scores.max(1)))
    best = model.decode_selected(embedding, prompts, lowest_score=bar, best=True)
    top = decoded.scores.argmax(1)
    for index, logits in zip(best.prompts, best.logits, strict=True):
        np.testing.assert_allclose(logits, decoded.logits[index, top[index]], atol=1e-4)
    assert len(best.prompts) == (decoded.scores.max(1) > bar).sum() > 0


def small_sam2() -> Any:
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(0)
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "image_size": [128, 128],
        "hidden_size": 16,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 2, 1, 1],
        "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_positional_embedding_background_size": [4, 4],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [2],
    }
    config = Sam2Config(
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [128, 64, 32, 16],
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 128, "mask_input_channels": 4},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2,
                             "iou_head_hidden_dim": 32},
    )  # fmt: skip
    return Sam2Model(config).eval()


def test_sam_2(tmp_path: Path) -> None:
    small_sam2().save_pretrained(tmp_path / "sam2")
    model = load_model(str(tmp_path / "sam2"))
    assert model.family == "sam2"
    logits, scores = answers(model)
    assert logits.shape == (9, 3, 32, 32)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("target", ["grains", "layers"])
def test_segmenting_with_a_folder_end_to_end(folder: Path, tmp_path: Path, target: str) -> None:
    import nital
    from nital.micrograph import Micrograph

    micrograph = Micrograph(specimen((90, 128)), name="noise")
    result = nital.segment(micrograph, target, model=str(folder))
    assert result.labels.shape == (90, 128)
    assert result.model.sha256 == load_model(str(folder)).sha256
    assert result.parameters["found"]["prompts_from"] == "structure"
    assert result.parameters["found"]["prompts"] > 0
    assert ((result.phases > 0) == (result.labels > 0)).all()
    written = result.save(tmp_path / "out")
    assert (written / "labels.tif").is_file()
    assert (written / "summary.json").is_file()
