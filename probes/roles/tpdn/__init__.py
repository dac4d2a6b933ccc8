"""Tensor product decompositions, and their comparison."""
