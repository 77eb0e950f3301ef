"""From labels to numbers: the table of objects, and quantities with their 95 % intervals."""

from __future__ import annotations

from nital.metrology.measure import Measurements, default_phases, measure, measure_labels
from nital.metrology.quantity import Quantity

__all__ = ["Measurements", "Quantity", "default_phases", "measure", "measure_labels"]
