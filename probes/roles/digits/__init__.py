"""Digit networks of McCoy et al. (2019), taught, decomposed and read."""
