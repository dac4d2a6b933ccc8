"""Encodings that were made elsewhere."""
