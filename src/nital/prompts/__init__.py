"""Where to ask the model: points and boxes in image coordinates."""

from nital.prompts.grid import regular_grid
from nital.prompts.prompt_set import PromptSet

__all__ = ["PromptSet", "regular_grid"]
