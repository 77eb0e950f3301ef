"""From a torch module to the bytes of an ONNX graph, without a word on who exported it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nital.errors import ModelError

__all__ = ["to_onnx", "write_whole"]

OPSET = 18


def to_onnx(
    module: nn.Module,
    inputs: dict[str, Tensor],
    dynamic: dict[str, Any],
    names: tuple[list[str], list[str]],
) -> bytes:
    """Export a module in evaluation mode.

    Parameters
    ----------
    module
        What to export.
    inputs
        Example inputs by name.
    dynamic
        Dynamic axes of each input, as ``torch.export`` takes them.
    names
        Names of the inputs and of the outputs.

    Raises
    ------
    ModelError
        When torch cannot export it.
    """
    with _quiet():
        program = torch.onnx.export(
            module,
            (),
            kwargs=inputs,
            dynamo=True,
            dynamic_shapes=dynamic,
            input_names=names[0],
            output_names=names[1],
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise ModelError("torch could not export the network to ONNX")
    return _without_traces(program.model_proto)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch's exporter says of its own affairs off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "# The axis name: . will not be used", UserWarning)
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _without_traces(model: Any) -> bytes:
    """Serialise an ONNX model without the stack traces, and so the paths, of who exported it."""
    graph = model.graph
    values = (*graph.value_info, *graph.input, *graph.output, *graph.initializer)
    for part in (model, graph, *graph.node, *values):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return bytes(model.SerializeToString(deterministic=True))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(data)
    os.replace(temporary, path)
