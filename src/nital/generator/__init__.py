"""All masks of an image from a promptable model: SAM's automatic mask generator, done at once."""

from nital.generator.generate import Generated, generate
from nital.generator.options import GeneratorOptions

__all__ = ["Generated", "GeneratorOptions", "generate"]
