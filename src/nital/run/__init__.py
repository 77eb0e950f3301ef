"""A run over many images: which they are, where each result goes, and the record of it all."""

from __future__ import annotations

from nital.run.batch import Outcome, run_batch
from nital.run.execute import Listener, execute
from nital.run.inputs import Item, find_inputs, plan
from nital.run.jobs import MeasureJob, SegmentJob
from nital.run.record import Record

__all__ = [
    "Item",
    "Listener",
    "MeasureJob",
    "Outcome",
    "Record",
    "SegmentJob",
    "execute",
    "find_inputs",
    "plan",
    "run_batch",
]
