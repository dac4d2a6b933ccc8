"""Analogy arithmetic: king - queen = man - woman, of static vectors and at every layer."""
