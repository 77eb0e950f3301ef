"""Semantic boosting: which masks and pixels are of one material."""
