"""Particles by Mask R-CNN with an uncertainty head, run by ONNX Runtime."""
