"""Adapting a pretrained model, and what that did to it: heads, weights, answers under shift."""
