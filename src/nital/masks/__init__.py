"""Overlapping candidate masks and their flattening to labels."""
