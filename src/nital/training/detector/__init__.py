"""Mask R-CNN with an uncertainty head: regions, network, losses, training and export."""
