"""Metrics against labelled truth, data sets, and the benchmark that joins them."""

from nital.evaluation.scores import score_boundaries, score_instances, score_phases

__all__ = ["score_boundaries", "score_instances", "score_phases"]
