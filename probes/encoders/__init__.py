"""Hugging Face models as layer-wise encoders."""
