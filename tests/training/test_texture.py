"""Texture training: the loss, the crops, resuming, export, and networks for comparison."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nital.boost.texture import MIRRORED, STRIDE, TextureModel
from nital.cli.train_texture import train_texture_command
from nital.errors import ModelError, UsageError
from nital.training.texture_export import export_texture, load_contrastive
from nital.training.texture_loop import TextureTraining, contrastive_loss, train_texture
from nital.training.texture_network import (
    NETWORKS,
    FractalEncoder,
    TextureNetwork,
    make_crop_network,
)
from nital.training.texture_samples import TextureOptions, TextureStream, load_patches_from

SMALL = TextureOptions(crops=2, sides=(32,), shares=(0, 0, 1, 0), pool=3)


def test_the_loss_falls_as_materials_part():
    materials = torch.tensor([0, 0, 1, 1])
    threshold = torch.tensor(2.0)
    near = torch.tensor([[0.0, 0], [0, 0], [0.5, 0], [0.5, 0]])
    far = near * 10
    mixed = torch.tensor([[0.0, 0], [5, 0], [0, 0], [5, 0]])
    losses = [float(contrastive_loss(e, materials, threshold)) for e in (far, near, mixed)]
    assert losses[0] < losses[1] < losses[2]
    assert losses[0] == pytest.approx(0.5 * np.log1p(np.exp(-2)), abs=1e-3)


def test_groups_hold_several_crops_of_several_materials():
    stream = TextureStream(0, TextureOptions(crops=3, pool=4))
    for side in (32, 48):
        group = stream.group(side)
        assert group.crops.shape[1:] == (side + 16, side + 16)
        assert np.isfinite(group.crops).all()
        counts = np.bincount(group.materials)
        assert (counts > 0).sum() >= 2
        assert set(counts[counts > 0]) == {3}


def test_the_same_seed_gives_the_same_crops():
    one, two = (TextureStream(4, SMALL).group(32).crops for _ in range(2))
    assert (one == two).all()


def test_only_images_licensed_for_training_and_not_held_out_are_read(tmp_path):
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 255, (100, 100), dtype=np.uint8)
    for name, stem in (("pnnl_stem", "a"), ("uhcs", "b"), ("nasa_ebc3", "val_c")):
        folder = tmp_path / name / "images"
        folder.mkdir(parents=True)
        Image.fromarray(noise).save(folder / f"{stem}.png")
    assert len(load_patches_from(tmp_path)) == 1


def test_training_goes_on_and_is_exported(tmp_path):
    options = TextureTraining(steps=1, groups=1)
    train_texture(tmp_path, options, stream=SMALL)
    reports = []
    weights = train_texture(
        tmp_path,
        TextureTraining(steps=2, groups=1),
        stream=SMALL,
        report=lambda step, total, means: reports.append((step, total)),
    )
    assert reports == [(2, 2)]
    difference = export_texture(weights, tmp_path / "model")
    assert difference < 1e-4
    model = TextureModel.load(tmp_path / "model")
    network = load_contrastive(weights).network
    assert isinstance(network, TextureNetwork)
    crop = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    maps = model.maps(crop)
    embedded = model.embed_crops(maps, np.array([[2, 2, 14, 14]]))
    with torch.no_grad():
        mirrored = np.pad(crop, MIRRORED, mode="reflect")
        margin = 2 + MIRRORED // STRIDE
        expected = network(torch.from_numpy(mirrored)[None, None], margin).numpy()
    assert np.allclose(embedded, expected, atol=1e-3)


def test_weights_of_something_else_are_refused(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be used as weights of the texture network"):
        load_contrastive(tmp_path / "weights.safetensors")
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="is no checkpoint of this network"):
        train_texture(tmp_path, TextureTraining(steps=1), stream=SMALL)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_embed_crops_of_any_size(name):
    network = make_crop_network(name, 5).eval()
    with torch.no_grad():
        for side in (48, 60):
            assert network(torch.randn(2, 1, side, side)).shape == (2, 5)


def test_an_unknown_network_is_refused(tmp_path):
    with pytest.raises(UsageError, match="compact, resnet18, fenet, not 'vgg'"):
        make_crop_network("vgg", 3)
    assert train_texture_command(tmp_path, None, 1, 1, 0, "vgg") == 2


def test_the_exponent_of_a_flat_map_is_nought_and_of_a_point_is_negative():
    encoder = FractalEncoder(levels=2)
    with torch.no_grad():
        encoder.centres.copy_(torch.tensor([-2.0, 0.0]))
        flat = encoder(torch.ones(1, 1, 15, 15))
        point = torch.zeros(1, 1, 15, 15)
        point[0, 0, 7, 7] = 100
        peaked = encoder(point)
    # A map that is the same everywhere fills the level at 0: its area does not grow with boxes.
    assert float(flat[0, 1].abs()) < 0.05
    # A single peak is a small part of the other level, whose area grows with the boxes.
    assert float(peaked[0, 0]) > 0.5
