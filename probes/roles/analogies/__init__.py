"""Analogies that tell role schemes apart."""
