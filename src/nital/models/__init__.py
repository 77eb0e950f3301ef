"""Promptable models behind one protocol; the compact model is the default."""

from nital.models.protocol import Decoded, Embedding, PromptableModel
from nital.models.registry import load_model

__all__ = ["Decoded", "Embedding", "PromptableModel", "load_model"]
