"""What a run was begun with: a run that goes on rests on the same data and the same weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xxhash

from probes.errors import InputError
from probes.files import sealed, unsealed, write_whole
from probes.images import Images
from probes.transfer.examples import LabelledItems


def require_same(path: Path, now: Mapping[str, Any]) -> None:
    """Keep what a run is begun with; refuse to go on with anything else.

    Parameters
    ----------
    path : Path
        Where it is kept.
    now : mapping of str to object
        Digests, by what they are of, in values that JSON holds.

    Raises
    ------
    InputError
        If one is not what it was: it is named.
    """
    given = json.loads(json.dumps(now))
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, sealed(given))
        return
    then = unsealed(path)
    changed = [name for name in given if then.get(name) != given[name]]
    changed += [name for name in then if name not in given]
    if changed:
        raise InputError(
            f"the {' and the '.join(changed)} have changed since {path.parent.parent} was begun; "
            "remove that folder, or choose another --out"
        )


def digest_of_items(parts: Sequence[LabelledItems]) -> str:
    """Digest items and labels: texts, pairs of texts, or the pixels of images; groups, too."""
    digest = xxhash.xxh3_128()
    for part in parts:
        content = part.items.digests if isinstance(part.items, Images) else part.items
        text = json.dumps([list(content), part.labels.tolist(), part.groups.tolist()])
        digest.update(text.encode())
    return digest.hexdigest()
