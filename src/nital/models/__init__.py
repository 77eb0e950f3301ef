"""Promptable models behind one protocol; the compact model is the default."""

from nital.models.protocol import Decoded, Embedding, PromptableModel
from nital.models.registry import is_promptable, load_model

__all__ = ["Decoded", "Embedding", "PromptableModel", "is_promptable", "load_model"]
