"""Adapting a pretrained model: linear probing, fine-tuning, one after the other."""
