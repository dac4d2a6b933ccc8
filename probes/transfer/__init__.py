"""Adapting a pretrained model: weights between models, soups, calibration, robustness, theory."""
