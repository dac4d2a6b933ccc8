"""Words of raw text: each stands where it is said to stand, and a phrase is found where it is."""

import subprocess
import sys
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from probes_tasks.words import listed, occurrence, occurrences, tokenised_by, words_of

from probes.errors import InputError

TEXTS = {
    "ar": "قال الرجل: «لا أعرف»، ثم ذهب.",
    "bg": "Котката седи на стола, нали?",
    "bn": "আমি বাংলায় গান গাই।",
    "de": "Z.B. sagt's Dr. Müller: „Gute  Idee!“",
    "el": "Η γάτα κάθεται στην καρέκλα· γιατί;",
    "en": "\tDon't stop—it's\n\n  the U.S.'s  (only) café\u0301. ",
    "es": "¿Dónde está la biblioteca, señor?",
    "fa": "من کتاب می\u200cخوانم و می\u200cروم.",
    "fi": "Kissa istuu tuolilla, eikö niin?",
    "fr": "L'école d'aujourd'hui : qu'est-ce que c'est ?",
    "gu": "હું ગુજરાતી બોલું છું.",
    "he": 'הוא אמר: "לא", והלך.',
    "hi": "मैं हिन्दी बोलता हूँ।",
    "hu": "A macska a széken ül, ugye?",
    "hy": "Կատուն նստած է աթոռին։",
    "it": "L'amico dell'uomo non c'è più.",
    "kn": "ನಾನು ಕನ್ನಡ ಮಾತನಾಡುತ್ತೇನೆ.",
    "ml": "ഞാൻ മലയാളം സംസാരിക്കുന്നു.",
    "pl": "Kot siedzi na krześle, prawda?",
    "ru": "Кошка сидит на стуле, не так ли?",
    "sa": "अहं संस्कृतं वदामि।",
    "ta": "நான் தமிழ் பேசுகிறேன்.",
    "te": "నేను తెలుగు మాట్లాడతాను.",
    "ti": "ኣነ ትግርኛ እዛረብ።",
    "tr": "Kedi İstanbul'da sandalyede oturuyor.",
    "ur": "میں اردو بولتا ہوں۔",
    "xx": "ein Wort, 一个词 и слово 👩\u200d💻!",
    "zh": "我  喜欢 NLP，你呢？",
}


def check(text: str, language: str) -> list[str]:
    """Check the laws of words; return them."""
    spans = words_of(text, language)
    covered = [False] * len(text)
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        assert not text[start:end].isspace()
        covered[start:end] = [True] * (end - start)
        last = end
    assert all(hit or char.isspace() for hit, char in zip(covered, text, strict=True))
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize("language", TEXTS)
def test_words_are_in_order_and_hold_every_character_that_is_not_white_space(language: str) -> None:
    import spacy

    words = check(TEXTS[language], language)
    document = spacy.blank(language)(TEXTS[language])
    assert words == [token.text for token in document if not token.is_space]
    assert tokenised_by(language) == f"spaCy {spacy.__version__}, {language}"


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["en", "fr", "xx", "zh"]))
@example("\u3000a\x85\u2028b\x1c\xa0 \u200b", "en")
def test_the_words_of_any_text_keep_these_laws(text: str, language: str) -> None:
    words = check(text, language)
    assert "".join(words) == "".join(text.split()) or any(map(str.isspace, "".join(words)))


def test_english_clitics_are_words() -> None:
    text = "I don't, she's"
    assert words_of(text, "en") == [(0, 1), (2, 4), (4, 7), (7, 8), (9, 12), (12, 14)]
    assert listed(text[a:b] for a, b in words_of(text, "en")) == "I | do | n't | , | she | 's"
    assert words_of("", "en") == words_of(" \n", "en") == []


def test_a_pipeline_s_own_tokenizer_is_used_and_nothing_else_of_it(tmp_path) -> None:
    import spacy

    pipeline = spacy.blank("en", meta={"name": "dashes", "version": "1.2.3"})
    pipeline.tokenizer.add_special_case("a-b", [{"ORTH": "a-b"}])
    pipeline.tokenizer.add_special_case("cannot", [{"ORTH": "can"}, {"ORTH": "not"}])
    pipeline.add_pipe("sentencizer")
    pipeline.to_disk(tmp_path / "dashes")
    config = tmp_path / "dashes" / "config.cfg"
    whole = config.read_text()
    config.write_text(whole.replace('factory = "sentencizer"', 'factory = "gone"'))
    assert config.read_text() != whole  # a pipeline of which a part cannot be made
    text = "a-b cannot"
    found = words_of(text, str(tmp_path / "dashes"))
    assert listed(text[a:b] for a, b in found) == "a-b | can | not"
    assert tokenised_by(str(tmp_path / "dashes")).endswith(", en_dashes 1.2.3")


def test_a_code_of_three_letters_is_the_language_that_it_names() -> None:
    assert words_of("isn't", "eng") == words_of("isn't", "en")
    assert tokenised_by("eng").endswith(", en")


@pytest.mark.parametrize("language", ["english", "EN", "", "no such", "torch", "../nowhere"])
def test_an_unknown_language_names_those_that_are_known(language: str) -> None:
    with pytest.raises(InputError, match=f"unknown language '{language}'.*known: .*de, .*pipeline"):
        words_of("a", language)


def test_a_folder_that_is_no_pipeline_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"pipeline '.*' cannot be loaded: .*meta\.json"):
        words_of("a", str(tmp_path))


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["sudachipy", "natto", "pythainlp", "pyvi"]))  # as if not there
from probes.errors import InputError
from probes_tasks.words import words_of
for language in ("ja", "ko", "th", "vi"):
    try: words_of("a", language)
    except InputError as error: print(error)
"""


def test_a_language_whose_tokenizer_lacks_a_package_says_which() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 4, done.stderr
    names = {"ja": "SudachiPy", "ko": "natto-py", "th": "PyThaiNLP", "vi": "pyvi"}
    for line, (language, package) in zip(lines, names.items(), strict=True):
        assert f"language '{language}' lacks a package" in line
        assert package in line
        assert "install it, or" in line


def test_a_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(InputError, match=r"'en' fails on '\\ud800a': .*surrogates"):
        words_of("\ud800a", "en")


def test_importing_the_table_task_loads_no_spacy() -> None:
    code = "import sys, probes_tasks.table; print('spacy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def naive(text: str, phrase: str) -> list[tuple[int, int]]:
    """Try every pair of edges."""

    def wordy(k: int) -> bool:
        while k > 0 and is_mark(text[k]):
            k -= 1
        return text[k].isalnum() or text[k] == "_" or is_mark(text[k])

    def inside(k: int) -> bool:
        return 0 < k < len(text) and (is_mark(text[k]) or (wordy(k - 1) and wordy(k)))

    def form(part: str, fold: bool) -> str:
        part = unicodedata.normalize("NFD", part)
        return unicodedata.normalize("NFD", part.casefold()) if fold else part

    for fold in (False, True):
        found = [
            (i, j)
            for i in range(len(text))
            for j in range(i + 1, len(text) + 1)
            if form(text[i:j], fold) == form(phrase, fold) and not inside(i) and not inside(j)
        ]
        if found:
            return found
    return []


LETTERS = st.text("aAeÉé\u0301ß '-_1", max_size=14)


@settings(max_examples=400, deadline=None)
@given(LETTERS, st.data())
def test_the_places_of_a_phrase_are_those_of_a_naive_search(text: str, data) -> None:
    first = data.draw(st.integers(0, len(text)))
    phrase = data.draw(
        st.one_of(LETTERS, st.just(text[first : data.draw(st.integers(first, len(text)))]))
    )
    phrase = data.draw(st.sampled_from([phrase, phrase.swapcase()])).strip()
    wanted = naive(text, phrase) if phrase else []
    assert occurrences(text, phrase) == wanted
    for nth, span in enumerate(wanted, start=1):
        assert occurrence(text, phrase, nth) == span


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("éèñ한글ộǭ≠िक a.")),
    st.text(st.sampled_from("éèñ한글ộǭ≠िक a."), min_size=1),
)
def test_composed_and_decomposed_texts_have_the_same_places(text: str, phrase: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    found = [
        [unicodedata.normalize("NFC", t[a:b]) for a, b in occurrences(t, p)]
        for t in forms
        for p in (unicodedata.normalize(form, phrase) for form in ("NFC", "NFD"))
    ]
    assert all(places == found[0] for places in found)
    assert all(p == unicodedata.normalize("NFC", phrase.strip()) for p in found[0])


def spans(text: str, phrase: str, words: Sequence[tuple[int, int]] | None = None) -> list[str]:
    return [text[a:b] for a, b in occurrences(text, phrase, words)]


def test_a_phrase_is_whole_words() -> None:
    assert occurrences("one bone, one's alone: one_two One", "one") == [(0, 3), (10, 13)]
    assert occurrences("a new  York", "new York") == []
    assert occurrences("-- a --", "--") == [(0, 2), (5, 7)]
    assert occurrences("a a a", " a a ") == [(0, 3), (2, 5)]
    assert spans("मैं हिन्दी बोलता हूँ", "हिन") == []
    assert spans("می\u200cروم و می", "می") == ["می"]


def test_with_words_an_edge_is_where_a_word_has_one() -> None:
    text = "I don't and cannot; don, can"
    assert occurrences(text, "don") == [(2, 5), (20, 23)]
    assert occurrences(text, "n't") == []
    words = words_of(text, "en")
    assert occurrences(text, "n't", words) == [(4, 7)]
    assert occurrences(text, "don", words) == [(20, 23)]
    assert occurrences(text, "can", words) == [(12, 15), (25, 28)]
    assert spans("我喜欢我", "喜欢") == []
    assert spans("我喜欢我", "喜欢", words_of("我喜欢我", "zh")) == ["喜欢"]


def test_another_case_will_do_only_where_the_same_is_not_there() -> None:
    assert occurrences("One is one", "one") == [(7, 10)]
    assert occurrences("One is ONE", "one") == [(0, 3), (7, 10)]
    assert spans("Die STRASSE", "Straße") == ["STRASSE"]
    assert spans("ΟΔΟΣ", "οδος") == ["ΟΔΟΣ"]


def test_a_span_counts_characters_of_the_text_that_came() -> None:
    decomposed = "le cafe\u0301 e\u0301tait"
    assert spans(decomposed, "café") == ["cafe\u0301"]
    assert spans(decomposed, "cafe") == []
    assert occurrence(decomposed, "était") == (9, 15)
    assert occurrence("le café était", "e\u0301tait") == (8, 13)


def test_no_place_divides_a_character_even_where_words_do() -> None:
    syllable = unicodedata.normalize("NFD", "한")
    letters = words_of(syllable, "zh")
    assert len(letters) == 3
    assert spans(syllable, "하", letters) == []
    assert spans(syllable, "한", letters) == [syllable]


@pytest.mark.parametrize(
    ("phrase", "nth", "words", "message"),
    [
        ("one", None, None, "'one' occurs 2 times in 'one bone one'; say which by nth, from 1"),
        ("one", 3, None, "'one' occurs 2 times in .*, and nth is 3; expected 1 to 2"),
        ("one", 0, None, "and nth is 0; expected 1 to 2"),
        ("two", None, None, "'two' occurs nowhere in 'one bone one'; give words as they stand"),
        ("two", 1, None, "'two' occurs nowhere"),
        ("bon", None, None, r"nowhere in 'one bone one' \(once across the edges of words\); give"),
        ("on", None, "en", r"nowhere in one \| bone \| one \(3 times across"),
        (" ", None, None, "the phrase ' ' is empty"),
    ],
)
def test_a_phrase_that_is_not_there_once_is_refused(phrase, nth, words, message) -> None:
    text = "one bone one"
    with pytest.raises(InputError, match=message):
        occurrence(text, phrase, nth, words and words_of(text, words))
