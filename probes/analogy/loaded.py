"""Word vectors that a library has in memory: gensim's and spaCy's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from probes.analogy.vectors import Vectors, checked
from probes.errors import InputError

if TYPE_CHECKING:
    from spacy.language import Language


class KeyedVectors(Protocol):
    """What is needed of gensim's class of the same name."""

    index_to_key: Sequence[str]
    vectors: npt.NDArray[np.float32]


def from_keyed_vectors(kv: KeyedVectors, *, name: str = "keyed vectors") -> Vectors:
    """Take the vectors of gensim's ``KeyedVectors``, or of anything with the same two attributes.

    Parameters
    ----------
    kv : object
        With ``index_to_key``, the words, and ``vectors``, an array with a row each.
    name : str
        Of the vectors in results.

    Returns
    -------
    Vectors
        Over the same array where it is float32.

    Raises
    ------
    InputError
        If it lacks one of the two, or they do not belong together.
    """
    try:
        words, X = list(kv.index_to_key), np.asarray(kv.vectors)
    except AttributeError as error:
        raise InputError(
            f"{name}: {error}; expected gensim's KeyedVectors (of a model, its .wv), with the "
            "attributes index_to_key and vectors"
        ) from None
    return checked(words, _float32(X, name), name=name)


def from_spacy(nlp: Language, *, name: str | None = None) -> Vectors:
    """Take the vectors of a loaded spaCy pipeline.

    Parameters
    ----------
    nlp : spacy.language.Language
        With a table of vectors.
    name : str, optional
        Of the vectors in results; the pipeline's own if None.

    Returns
    -------
    Vectors
        In the order in which the table got its words. Where spaCy has pruned it, words that lost
        their vector stand after those that kept theirs, each with that of its nearest neighbour.

    Raises
    ------
    InputError
        If the pipeline has no vectors, or has them of pieces of words alone (floret).
    """
    name = f"{nlp.meta['lang']}_{nlp.meta['name']}" if name is None else name
    table = nlp.vocab.vectors
    if table.mode != "default":
        raise InputError(
            f"the spaCy pipeline {name!r} has vectors of pieces of words ({table.mode}) and so no "
            "list of words; choose one with a vector a word"
        )
    if not table.n_keys:
        raise InputError(
            f"the spaCy pipeline {name!r} has no word vectors; choose one that has them, such as "
            "en_core_web_md (a name that ends in _sm or _trf has none)"
        )
    try:
        words = [nlp.vocab.strings[key] for key in table.key2row]
    except KeyError as error:
        raise InputError(
            f"the spaCy pipeline {name!r} has a vector whose word it does not know: {error}; make "
            "the pipeline again with spacy init vectors"
        ) from None
    X = np.asarray(table.data)[list(table.key2row.values())]
    return checked(words, _float32(X, name), name=name)


def load_spacy(pipeline: str | Path) -> Vectors:
    """Load a spaCy pipeline and take its vectors.

    Parameters
    ----------
    pipeline : str or Path
        The name of an installed package, or a folder.

    Raises
    ------
    InputError
        If it cannot be loaded, or has no vectors.
    """
    import spacy  # takes seconds

    try:
        nlp = spacy.load(pipeline)
    except (OSError, ImportError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the spaCy pipeline {str(pipeline)!r} cannot be loaded: {reason}; give the name or "
            "the folder of an installed pipeline with word vectors"
        ) from error
    return from_spacy(nlp, name=Path(pipeline).name)


def _float32(X: npt.NDArray[Any], where: str) -> npt.NDArray[np.float32]:
    if X.dtype.kind not in "fiu":
        raise InputError(f"{where}: an array of type {X.dtype}; expected real numbers")
    with np.errstate(over="ignore"):  # what is beyond float32 becomes inf, which is refused
        return np.ascontiguousarray(X, dtype=np.float32)
