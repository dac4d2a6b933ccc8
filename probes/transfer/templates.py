"""Sentences about a class, with a place for its name."""

from __future__ import annotations

from collections.abc import Sequence

from probes.errors import InputError

PLACE = "{}"
TEMPLATES: tuple[str, ...] = (f"a photo of a {PLACE}.",)
"""Where none are given."""


def require_templates(templates: Sequence[str]) -> None:
    """Refuse templates of which a classifier cannot be made.

    Parameters
    ----------
    templates : sequence of str
        As they are given.

    Raises
    ------
    InputError
        If there is none, one stands twice, or one has not one place for the name.
    """
    if not templates or len(set(templates)) < len(templates):
        raise InputError(f"templates {tuple(templates)}: give at least one, each once")
    for template in templates:
        if template.count(PLACE) != 1:
            raise InputError(
                f"the template {template!r} has {template.count(PLACE)} places for the name of a "
                f"class; give it one, {PLACE}, such as {TEMPLATES[0]!r}"
            )


def filled(template: str, name: str) -> str:
    """Put the name of a class in its place; other braces stay as they are."""
    return template.replace(PLACE, name)
