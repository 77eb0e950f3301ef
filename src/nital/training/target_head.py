"""The head that says what an image shows, fitted on the finished encoder.

Trained together with the maps it hardly learns, since the decoder is told the target anyway; on
frozen features, with many crops at once, it is a matter of minutes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from nital.training.network import CompactNetwork
from nital.training.samples import RealImage, SampleStream, StreamOptions

__all__ = ["fit_target_head"]


def fit_target_head(
    network: CompactNetwork,
    real: tuple[RealImage, ...] = (),
    *,
    crops: int = 4000,
    epochs: int = 60,
    seed: int = 1,
) -> float:
    """Fit ``network.encoder.target_head`` in place; everything else stays as it is.

    Parameters
    ----------
    real
        Licensed real images; every eighth crop is theirs.
    crops
        Crops, the simulated targets in equal shares; a tenth of them only measures.

    Returns
    -------
    float
        Accuracy on the tenth held out.
    """
    network.eval()
    torch.manual_seed(seed)
    options = StreamOptions(shares=(0.25, 0.25, 0.25, 0.25), real_share=0.125, borrowed=0, reuse=1)
    stream = iter(SampleStream((seed, 77), options, real))
    summaries, targets = [], []
    with torch.no_grad():
        for _ in range(crops):
            sample = next(stream)
            image = sample.image.astype(np.float32)
            image = (image - image.mean()) / max(float(image.std()), 1.0)
            features = network.encoder.features(torch.from_numpy(image)[None, None])
            summaries.append(network.encoder.summary(features)[0])
            targets.append(sample.target)
    inputs, answers = torch.stack(summaries), torch.tensor(targets)
    held = max(1, crops // 10)
    head = network.encoder.target_head
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.3)
    for _ in range(epochs):
        head.train()
        for part in torch.split(torch.randperm(crops - held), 64):
            if len(part) < 2:
                continue
            noise = 1 + 0.05 * torch.randn_like(inputs[part])
            loss = F.cross_entropy(head(inputs[part] * noise), answers[part], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    head.eval()
    with torch.no_grad():
        right = head(inputs[crops - held :]).argmax(1) == answers[crops - held :]
    return float(right.float().mean())
