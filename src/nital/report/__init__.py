"""Files of a result, and the report of a run."""

from __future__ import annotations

from nital.report.overlay import draw_overlay
from nital.report.result import RESULT_FILES, TABLE_FILES, save_result, write_result, write_tables

__all__ = [
    "RESULT_FILES",
    "TABLE_FILES",
    "draw_overlay",
    "save_result",
    "write_result",
    "write_tables",
]
