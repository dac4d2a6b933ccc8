"""Words of raw text: where spaCy's tokens stand in it, and where a word or phrase occurs.

The text is never changed: every span counts characters of the string that came.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from probes.errors import InputError, unknown

Span = tuple[int, int]

_JOINERS = "\u200c\u200d"  # inside words of Persian, Hindi, …
_SHOWN = 300  # characters of a text, or of its words, in a message


def words_of(text: str, language: str) -> list[Span]:
    """Find the words of a text: spaCy's tokens, without those that are white space.

    Parameters
    ----------
    text : str
        Raw text.
    language : str
        A language that spaCy knows, such as ``"en"``, ``"de"`` or ``"xx"`` (any); or the name or
        folder of an installed pipeline, of which the tokenizer alone is used.

    Returns
    -------
    list of (int, int)
        Start and end (exclusive) of each word, in characters of `text`, in order. They do not
        overlap, and hold every character that is not white space.

    Raises
    ------
    InputError
        If the language is unknown, or its tokenizer lacks a package, or the tokenizer refuses
        this text or changes it.
    """
    tokenizer = _pipeline(language).tokenizer
    try:
        tokens = tokenizer(text)
    except MemoryError:
        raise
    except Exception as error:  # whatever the tokenizer of another package does
        raise InputError(
            f"the tokenizer of the language {language!r} fails on {_clip(repr(text))}: "
            f"{_one_line(error)}; mend what it names, or choose another language"
        ) from error
    if tokens.text != text:
        raise InputError(
            f"the tokenizer of the language {language!r} changes {_clip(repr(text))} to "
            f"{_clip(repr(tokens.text))}, so its words have no place there; choose another language"
        )
    return [(t.idx, t.idx + len(t)) for t in tokens if not t.text.isspace()]


def tokenised_by(language: str) -> str:
    """Name what finds the words of a language, for a note: spaCy's version decides them.

    Parameters
    ----------
    language : str
        As in `words_of`.

    Returns
    -------
    str
        Such as ``"spaCy 3.8.18, en"``, with its version where it is a pipeline.

    Raises
    ------
    InputError
        As `words_of`.
    """
    import spacy

    pipeline = _pipeline(language)
    name = pipeline.lang
    if not _is_language(language):
        name = "{lang}_{name} {version}".format(**pipeline.meta)
    return f"spaCy {spacy.__version__}, {name}"


def occurrences(text: str, phrase: str, words: Sequence[Span] | None = None) -> list[Span]:
    """Find all places of a word or phrase.

    Parameters
    ----------
    text : str
        Where to look.
    phrase : str
        What to look for; white space around it does not count, white space within it does.
    words : sequence of (int, int), optional
        The words of the text, as `words_of` finds them. A place begins where one begins and ends
        where one ends. Without them it has no letter, digit, mark or underscore on both sides of
        either edge: "one" is not in "bone", and "don" is in "don't", but "n't" is not.

    Returns
    -------
    list of (int, int)
        Start and end (exclusive) of each place, in characters of `text`, in order; places may
        overlap. Only if there is none in this very case, those that differ in case alone.
        Canonically equivalent strings (é in one character or two) are the same, and no place
        divides a character from its marks.
    """
    wanted = phrase.strip()
    edges = _characters(text)
    for form in (_exact, _folded):
        places = _search(text, edges, wanted, form)
        whole = [place for place in places if _is_whole(place, text, edges, words)]
        if whole:
            return [(edges[first], edges[end]) for first, end in whole]
    return []


def occurrence(
    text: str, phrase: str, nth: int | None = None, words: Sequence[Span] | None = None
) -> Span:
    """Find one place of a word or phrase.

    Parameters
    ----------
    text, phrase, words
        As in `occurrences`.
    nth : int, optional
        Which of its places, from 1. Without it there must be one only.

    Returns
    -------
    (int, int)
        Start and end (exclusive), in characters of `text`.

    Raises
    ------
    InputError
        If the phrase is empty or is not there, or there are several and `nth` is not given, or
        fewer than `nth`.
    """
    if not phrase.strip():
        raise InputError(f"the phrase {phrase!r} is empty; give a word or phrase of the text")
    found = occurrences(text, phrase, words)
    shown = _clip(repr(text)) if words is None else listed(text[a:b] for a, b in words)
    where = f"{phrase!r} occurs {_times(len(found))} in {shown}"
    if not found:
        n_inside = len(_search(text, _characters(text), phrase.strip(), _folded))
        if n_inside:
            raise InputError(
                f"{where} ({_times(n_inside)} across the edges of words); give whole words, or "
                "count by start and end"
            )
        raise InputError(f"{where}; give words as they stand there")
    if nth is None and len(found) > 1:
        raise InputError(f"{where}; say which by nth, from 1")
    if nth is not None and not 1 <= nth <= len(found):
        raise InputError(f"{where}, and nth is {nth}; expected 1 to {len(found)}")
    return found[(nth or 1) - 1]


def listed(words: Iterable[str]) -> str:
    """List words for a message, with bars between them.

    Parameters
    ----------
    words : iterable of str
        In their order.

    Returns
    -------
    str
        Such as ``"do | n't | stop"``; what is long is cut.
    """
    return _clip(" | ".join(words))


@lru_cache(maxsize=8)
def _pipeline(language: str) -> Any:
    """Make or load a spaCy pipeline with a tokenizer and nothing else."""
    import spacy  # takes seconds

    folder = None if _is_language(language) else _pipeline_folder(language)
    try:
        if folder is None:
            return spacy.blank(language)
        parts = spacy.util.get_model_meta(folder).get("components", ())
        return spacy.load(language, exclude=parts)
    except ImportError as error:
        raise InputError(
            f"the tokenizer of the language {language!r} lacks a package: {_one_line(error)}; "
            "install it, or choose another language, or give the words themselves"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the spaCy pipeline {language!r} cannot be loaded: {_one_line(error)}; "
            "check that it is a folder or package of this spaCy version"
        ) from error


def _is_language(name: str) -> bool:
    if not re.fullmatch("[a-z]{2,3}", name):  # some releases of spaCy read EN and eng_US as en
        return False
    import spacy

    try:
        spacy.util.get_lang_class(name)
    except ImportError:
        return name in _languages()  # it is known, and a package that it needs is not there
    return True


def _languages() -> Iterator[str]:
    import spacy.lang

    return (module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg)


def _pipeline_folder(name: str) -> Path:
    if name and Path(name).is_dir():
        return Path(name)
    package = importlib.util.find_spec(name) if name.isidentifier() else None
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / "meta.json").is_file():
            return Path(folder)
    raise InputError(
        f"{unknown('language', name, _languages())}; or give the name or folder of an installed "
        "spaCy pipeline"
    )


@lru_cache(maxsize=4096)
def _continues(character: str) -> bool:
    """Tell whether this belongs to the character before it (Hangul: to the syllable)."""
    return (
        unicodedata.category(character).startswith("M")
        or character in _JOINERS
        or "\u1160" <= character <= "\u11ff"
    )


@lru_cache(maxsize=4096)
def _is_word(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind[0] in "LNM" or kind == "Pc" or character in _JOINERS


def _characters(text: str) -> list[int]:
    """Return where each character begins, marks counted to it, and the end of the text."""
    starts = [k for k, character in enumerate(text) if k == 0 or not _continues(character)]
    return [*starts, len(text)]


def _exact(character: str) -> str:
    return character if character.isascii() else unicodedata.normalize("NFD", character)


def _folded(character: str) -> str:
    return _exact(_exact(character).casefold())


def _search(text: str, edges: Sequence[int], phrase: str, form: Any) -> list[Span]:
    """Find a phrase anywhere; its places count characters as `edges` does."""
    keys = [form(text[a:b]) for a, b in pairwise(edges)]
    wanted = "".join(form(phrase[a:b]) for a, b in pairwise(_characters(phrase)))
    number = {offset: k for k, offset in enumerate(accumulate(map(len, keys), initial=0))}
    whole, found = "".join(keys), []
    offset = whole.find(wanted)
    while wanted and offset >= 0:
        first, end = number.get(offset), number.get(offset + len(wanted))
        if first is not None and end is not None:
            found.append((first, end))
        offset = whole.find(wanted, offset + 1)
    return found


def _is_whole(place: Span, text: str, edges: Sequence[int], words: Sequence[Span] | None) -> bool:
    first, end = place
    if words is not None:
        return any(a == edges[first] for a, _ in words) and any(b == edges[end] for _, b in words)
    return not any(
        0 < edge < len(edges) - 1
        and _is_word(text[edges[edge - 1]])
        and _is_word(text[edges[edge]])
        for edge in (first, end)
    )


def _times(n: int) -> str:
    return {0: "nowhere", 1: "once"}.get(n, f"{n} times")


def _clip(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
