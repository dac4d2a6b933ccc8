"""Roles that are learned and not given (ROLE)."""
