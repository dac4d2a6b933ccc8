"""Diagnostic classifiers, and what keeps them honest."""
