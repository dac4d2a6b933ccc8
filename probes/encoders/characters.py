"""The character aligner: which characters each sub-token stands for, from what it spells."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterable, Sequence

from rapidfuzz.distance import Indel

from probes.encoders.spelling import bare, fold_character, readable

Span = tuple[int, int]

MOST_STEPS = 400_000
"""Of the search for unknown tokens: about a second."""


def align_characters(text: str, spelled: Sequence[bytes | None]) -> list[Span]:
    """Find the characters of a text that each sub-token stands for, without offsets.

    Parameters
    ----------
    text : str
        What was tokenised.
    spelled : sequence of (bytes or None)
        What each sub-token spells, in order, special tokens left out (`Spelling.of`); None for the
        unknown token.

    Returns
    -------
    list of (int, int)
        First character and end (exclusive) of each, never empty. A sub-token of white space alone
        stands with the character after it that is none; after the last one, past the text.

    Notes
    -----
    Text and spelling are folded alike (`fold_character`). Where there are unknown tokens, they
    are given what lies between the others, if the others can be found so that nothing is left
    (`_between`). Otherwise both are aligned by a longest common subsequence, and what is left over
    on both sides between two matches (forms that the tokenizer's normaliser rewrites) is dealt out
    in order: a chunk a token where they are as many, evenly where not.
    """
    letters = _letters(spelled)
    spans: list[Span | None] = [None] * len(spelled)
    found = _between(text, spelled) if None in spelled else None
    for token, span in (_common(text, letters) if found is None else found).items():
        spans[token] = span
    lettered = {token for c, *owners in letters if c != " " for token in range(*owners)}
    _fill(text, spans, lettered, spelled)
    return [span for span in spans if span is not None]


def _common(text: str, letters: Sequence[tuple[str, int, int]]) -> dict[int, Span]:
    """Align by a longest common subsequence; white space anchors it, and belongs to nobody."""
    characters = [(c, k) for k, char in enumerate(text) for c in fold_character(char) or " "]
    spans: dict[int, Span] = {}
    for i, j in _matches("".join(c for c, _ in characters), "".join(c for c, _, _ in letters)):
        character, at = characters[i]
        for token in range(*letters[j][1:]) if character != " " else ():
            low, high = spans.get(token, (at, at + 1))
            spans[token] = min(low, at), max(high, at + 1)
    return spans


def _between(text: str, spelled: Sequence[bytes | None]) -> dict[int, Span] | None:
    """Find places for all tokens such that nothing is left, and unknown ones cross no white space.

    Goes through the tokens with every place where the last may have ended, at the least cost: an
    unknown token costs one where it ends within a word, one for each sign that it joins to
    others, and two where it stands for white space. None where there is no such way, or it would
    take too long to find.
    """
    letters = [(c, k) for k, char in enumerate(text) for c in bare(char)]
    string = "".join(c for c, _ in letters)
    pairs = [(letters[i - 1][1], k) for i, (_, k) in enumerate(letters) if i]
    edges = {i + 1 for i, (last, k) in enumerate(pairs) if _is_parted(text, last, k)}
    edges |= {0, len(letters)}
    n_unknown = sum(part is None for part in spelled)
    if n_unknown * len(letters) * _longest_run(edges) > MOST_STEPS:
        return None
    signs = edges | {i + 1 for i, (last, k) in enumerate(pairs) if _after_sign(text, last, k)}
    before = list(itertools.accumulate(at in signs for at in range(len(letters) + 1)))
    ways: list[dict[int, tuple[int, int]]] = [{0: (0, 0)}]
    for part in spelled:
        known = None if part is None else bare(readable(part))
        is_space = part is not None and readable(part).isspace()
        next_ways: dict[int, tuple[int, int]] = {}
        for place, (cost, _) in ways[-1].items():
            for end in _ends(string, edges, place, known):
                paid = cost + (is_space and place not in edges)
                if known is None:
                    joined = before[end - 1] - before[place] if end > place else 0
                    paid += 2 if end == place else joined + (end not in signs)
                if paid < next_ways.get(end, (len(text) + 1, 0))[0]:
                    next_ways[end] = paid, place
        ways.append(next_ways)
    if len(letters) not in ways[-1]:
        return None
    spans, end = {}, len(letters)
    for token in range(len(spelled) - 1, -1, -1):
        place = ways[token + 1][end][1]
        if place < end:
            spans[token] = letters[place][1], letters[end - 1][1] + 1
        end = place
    return spans


def _longest_run(edges: set[int]) -> int:
    return max((b - a for a, b in itertools.pairwise(sorted(edges))), default=0)


def _ends(string: str, edges: set[int], place: int, known: str | None) -> Iterable[int]:
    if known is not None:
        return (place + len(known),) if string.startswith(known, place) else ()
    last = next((end for end in range(place + 1, len(string)) if end in edges), len(string))
    return range(place if place in edges else place + 1, last + 1)


def _is_parted(text: str, last: int, k: int) -> bool:
    return any(c.isspace() for c in text[last + 1 : k])


def _letters(spelled: Sequence[bytes | None]) -> list[tuple[str, int, int]]:
    """Folded characters of the spelling, and the tokens that share in each (end exclusive)."""
    owners = [token for token, part in enumerate(spelled) for _ in part or b""]
    found, at = [], 0
    for char in readable(b"".join(part or b"" for part in spelled)):
        size = len(char.encode("utf-8", "surrogateescape"))
        first, end = owners[at], owners[at + size - 1] + 1
        found += [(c, first, end) for c in fold_character(char) or " "]
        at += size
    return found


def _matches(text: str, spelling: str) -> list[tuple[int, int]]:
    if text == spelling:
        return [(k, k) for k in range(len(text))]
    blocks = Indel.opcodes(text, spelling).as_matching_blocks()
    return [(b.a + k, b.b + k) for b in blocks for k in range(b.size)]


def _fill(
    text: str, spans: list[Span | None], lettered: set[int], spelled: Sequence[bytes | None]
) -> None:
    """Give the tokens that matched nothing what is left between their neighbours."""
    solid = [k for k, c in enumerate(text) if not c.isspace()]
    token = 0
    while token < len(spans):
        if spans[token] is not None:
            token += 1
            continue
        end = token
        while end < len(spans) and spans[end] is None:
            end += 1
        before = spans[token - 1] if token else None
        after = spans[end] if end < len(spans) else None
        low = 0 if before is None else before[1]
        high = len(text) if after is None else after[0]
        left = [k for k in solid if low <= k < high]
        waiting = [k for k in range(token, end) if k in lettered or spelled[k] is None]
        if left and waiting:
            for k, span in zip(waiting, _deal(text, left, len(waiting)), strict=True):
                spans[k] = span
        for k in range(end - 1, token - 1, -1):  # white space stands with what follows it
            if spans[k] is None:
                spans[k] = _beside(text, spans, k, k in lettered or spelled[k] is None)
        token = end


def _beside(text: str, spans: list[Span | None], token: int, is_letter: bool) -> Span:
    before = next((span for span in spans[token::-1] if span is not None), None)
    after = spans[token + 1] if token + 1 < len(spans) else None
    if before is not None and is_letter and (after is None or after[0] <= before[1]):
        return before[1] - 1, before[1]  # inside a word, or at its end
    if after is not None:
        return after[0], after[0] + 1
    return (0, 1) if before is None and text.strip() else (len(text), len(text) + 1)


def _deal(text: str, left: Sequence[int], n: int) -> list[Span]:
    """Deal characters out to n tokens in order."""
    for edge in (_after_space, _after_sign):
        chunks: list[list[int]] = []
        for k in left:
            if not chunks or edge(text, chunks[-1][-1], k):
                chunks.append([])
            chunks[-1].append(k)
        if len(chunks) == n:
            return [(chunk[0], chunk[-1] + 1) for chunk in chunks]
    m = len(left)
    shares = [(k * m // n, max(-(-(k + 1) * m // n), k * m // n + 1)) for k in range(n)]
    return [(left[a], left[b - 1] + 1) for a, b in shares]


def _after_space(text: str, last: int, k: int) -> bool:
    return k > last + 1


def _after_sign(text: str, last: int, k: int) -> bool:
    """Whether a chunk begins: after white space, and around punctuation, signs and ideographs."""
    return k > last + 1 or any(
        unicodedata.category(text[at])[0] in "PS" or "\u2e80" <= text[at] <= "\u9fff"
        for at in (last, k)
    )
