"""Which classes of some data are kept, and what they are called: sets that name things otherwise.

STL-10 has a car where CIFAR-10 has an automobile, and a monkey that CIFAR-10 has not; a domain of
Living-17 is a few classes of ImageNet under another name each.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

from probes.errors import InputError, unknown
from probes.task import Kind


def class_names_of(entries: Sequence[str]) -> Mapping[str, str]:
    """Read entries such as ``"cat"`` or ``"car=automobile"``.

    Parameters
    ----------
    entries : sequence of str
        The data's name of a class, and, behind the last equals sign, what to call it.

    Returns
    -------
    mapping of str to str
        The new name by the data's; several may have one new name.

    Raises
    ------
    InputError
        If a name is empty, or a class stands twice.
    """
    names: dict[str, str] = {}
    for entry in entries:
        given, sign, called = entry.rpartition("=")
        given, called = (given.strip(), called.strip()) if sign else (entry.strip(),) * 2
        if not given or not called:
            raise InputError(
                f"the class {entry!r} has no name; give such as cat, or car=automobile where the "
                "data's car is to be an automobile"
            )
        if given in names:
            raise InputError(f"the class {given!r} stands twice in classes; give each once")
        names[given] = called
    return names


def check_use(
    as_test: bool, classes: Sequence[str], kind: Kind, more: Sequence[str | None]
) -> None:
    """Refuse a use of data that means nothing.

    Parameters
    ----------
    as_test : bool
        Whether the data are asked alone.
    classes : sequence of str
        Entries of `class_names_of`.
    kind : {"class", "real"}
        Of the labels.
    more : sequence of str or None
        Data of further splits.

    Raises
    ------
    InputError
        If values are to have names, or data that are asked alone have further splits.
    """
    class_names_of(classes)
    if classes and kind == "real":
        raise InputError("classes names classes, and this labelling has real values; leave it out")
    given = [path for path in more if path is not None]
    if as_test and given:
        raise InputError(
            f"with as_test all that is asked stands in path, and {given[0]} is given beside it; "
            "leave it out, or give it as path"
        )


class ClassNames:
    """Calls classes by their names, and counts those that are left out.

    Parameters
    ----------
    entries : sequence of str
        As of `class_names_of`; where there are none, every class stays as it is.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._names = class_names_of(entries)
        self._seen: set[str] = set()
        self._n_out = 0

    def call(self, label: Any) -> Any:
        """Give a class its name: None where it is left out, or there is no label."""
        if not self._names or label is None:
            return label
        given = str(label)
        self._seen.add(given)
        called = self._names.get(given)
        self._n_out += called is None
        return called

    def require_all(self, where: str) -> None:
        """Refuse classes of some data, called so, that were named and did not come."""
        for name in self._names:
            if name not in self._seen:
                raise unknown(f"class of {where}", name, self._seen)

    def tell(self, counts: MutableMapping[str, int], notes: MutableSequence[str]) -> None:
        """Add to a task's counts and notes what was left out."""
        if self._n_out:
            counts["other_classes"] = self._n_out
            notes.append(
                f"{self._n_out:,} labels are left out, whose class is not among those to keep"
            )
