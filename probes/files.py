"""Files that stand under their name whole or not at all, and records that know their digest."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from probes.errors import EnvironmentFailure, InputError


def write_whole(
    path: Path, content: bytes | npt.NDArray[Any] | Iterable[bytes | memoryview]
) -> str:
    """Write a file so that it stands under its name whole or not at all.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    content : bytes, ndarray or iterable of bytes
        An array is written in numpy's format; pieces are written one after another, and each is
        asked for when the one before it is on the disk.

    Returns
    -------
    str
        Digest of the file's bytes (XXH3, 128 bit).

    Raises
    ------
    EnvironmentFailure
        If the disk is full.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            elif isinstance(content, np.ndarray):
                # Not np.save: on a full disk it fails without saying that it was the disk.
                content = np.ascontiguousarray(content)
                header = np.lib.format.header_data_from_array_1_0(content)
                np.lib.format.write_array_header_1_0(file, header)
                file.write(content.data)
            else:
                for piece in content:
                    file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        digest = digest_of(part)
        part.rename(path)
    except BaseException as error:  # of making the pieces, too, or an interruption
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentFailure(
                f"the disk is full: {path} could not be written; make room, or choose another "
                "disk (--store), then run the same command again: it goes on where it stopped"
            ) from error
        raise
    return digest


def digest_of(path: Path) -> str:
    """Digest a file's bytes (XXH3, 128 bit)."""
    digest = xxhash.xxh3_128()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def sealed(state: dict[str, Any]) -> bytes:
    """Write a record as JSON with a digest of itself, so that a flipped bit is found."""
    body = {k: v for k, v in state.items() if k != "seal"}
    text = json.dumps(body, ensure_ascii=False)
    seal = xxhash.xxh3_128(text.encode()).hexdigest()
    return (json.dumps({**body, "seal": seal}, ensure_ascii=False, indent=1) + "\n").encode()


def unsealed(path: Path) -> dict[str, Any]:
    """Read what `sealed` wrote.

    Parameters
    ----------
    path : Path
        Of the record.

    Returns
    -------
    dict
        Without the digest.

    Raises
    ------
    InputError
        If it is not there, or damaged.
    """
    if not path.is_file():
        raise InputError(f"no activation store: {path} is not there")
    try:
        state = json.loads(path.read_bytes())
        seal = state.pop("seal")
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove the store and run again") from None
    if xxhash.xxh3_128(json.dumps(state, ensure_ascii=False).encode()).hexdigest() != seal:
        raise InputError(f"{path} is damaged; remove the store and run again")
    return dict(state)
