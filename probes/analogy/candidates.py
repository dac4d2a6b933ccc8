"""The words among which an answer is looked for: one list for all layers and models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from probes.analogy.text import lines_of
from probes.analogy.vectors import folded
from probes.errors import InputError

N_CANDIDATES = 20_000


def candidates(
    n: int = N_CANDIDATES, path: str | Path | None = None, *, also: Sequence[str] = ()
) -> tuple[str, ...]:
    """List the words among which an answer is looked for.

    Parameters
    ----------
    n : int
        How many words to take, those of `also` not counted; where there are fewer, all.
    path : str or Path, optional
        A file in UTF-8 with a word a line, the most frequent first. By default the English list of
        the library wordfreq, which is in lower case.
    also : sequence of str
        Words that are listed in any case, such as ``AnalogySet.words``.

    Returns
    -------
    tuple of str
        The first `n` that are letters alone, each once, then what they lack of `also`. A word of
        the list that one of `also` is equal to but for case is written as it is there, so that
        ``athens`` is no rival of the answer ``Athens``.

    Raises
    ------
    InputError
        If `n` is below 1, wordfreq is not installed, or the file cannot be read or holds no such
        word.

    Notes
    -----
    The data of wordfreq are a snapshot of about 2021 that is no longer added to, so the list stays
    as it is (Speer 2022, doi:10.5281/zenodo.7199437; data CC BY-SA 4.0).
    """
    if n < 1:
        raise InputError(f"{n} candidate words; expected at least 1")
    source = _english() if path is None else _of_file(Path(path))
    listed = list(islice(dict.fromkeys(word for word in source if word.isalpha()), n))
    if not listed:
        raise InputError(
            f"{path} holds no word that is letters alone; expected a word a line, nothing beside it"
        )
    asked = dict.fromkeys(also)
    spellings: dict[str, str] = {}
    for word in asked:
        spellings.setdefault(folded(word), word)
    written = (word if word in asked else spellings.get(folded(word), word) for word in listed)
    return tuple(dict.fromkeys([*written, *asked]))


def _english() -> Iterable[str]:
    try:
        from wordfreq import iter_wordlist
    except ImportError:
        raise InputError(
            "the list of frequent English words needs the library wordfreq: "
            'pip install "layerprobes[analogy]", or give a file with a word a line'
        ) from None
    words: Iterable[str] = iter_wordlist("en")
    return words


def _of_file(path: Path) -> Iterable[str]:
    return (text.strip() for _, text in lines_of(path, "a word a line"))
