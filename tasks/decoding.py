"""Text files that are UTF-8, or say where they are not."""

from __future__ import annotations

import codecs

from probes.errors import InputError


def decoded(data: bytes, path: str) -> str:
    """Decode a file's bytes, without the mark that some editors put before them.

    Parameters
    ----------
    data : bytes
        Of the file.
    path : str
        Names it in a complaint.

    Returns
    -------
    str
        Line ends as they stand there.

    Raises
    ------
    InputError
        If the bytes are no UTF-8. The message names line and byte.
    """
    text = data.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start + len(data) - len(text)
        line = data.count(b"\n", 0, start) + 1
        raise InputError(
            f"{path}, line {line}: byte {start} (0x{data[start]:02x}) is not UTF-8; "
            "save the file as UTF-8"
        ) from None
