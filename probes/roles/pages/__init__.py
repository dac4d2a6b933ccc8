"""Pages of role runs."""
