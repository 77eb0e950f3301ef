"""Supervised segmenters: U-Net, SegNet and TransUNet, trained on a labelled set of one's own.

Training needs the extra ``nital[train]``; a trained model runs by ONNX Runtime alone.
"""
