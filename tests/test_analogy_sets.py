"""Sets of analogy questions: three forms of files, and what is refused."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from probes.analogy import questions as module
from probes.analogy.formats import BATS_CITATION, GOOGLE_CITATION, read_set
from probes.analogy.questions import AnalogySet, Pair, Relation, every_question
from probes.errors import InputError
from question_sets import pairs_of, same

CATEGORIES = ["inflection", "derivation", "lexical", "encyclopaedic"]

GOOGLE = """// Copyright
: family
king queen man woman
boy girl king queen
: gram3-comparative
Big bigger small smaller
big bigger small smaller
small smaller big bigger
"""
TABLE = "relation\tsource\ttarget\n"


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def relation(n: int, name: str = "r") -> Relation:
    return Relation(name, "", tuple(Pair(f"a{k}", (f"b{k}",)) for k in range(n)))


def test_a_file_in_googles_format_asks_its_own_questions_in_order(tmp_path):
    found = read_set(written(tmp_path / "small.txt", GOOGLE))
    family, comparative = found.relations
    assert (found.name, found.source) == ("small", str(tmp_path / "small.txt"))
    assert (family.name, family.category) == ("family", "semantic")
    assert (comparative.name, comparative.category) == ("gram3-comparative", "syntactic")
    assert pairs_of(family) == [("king", ("queen",)), ("man", ("woman",)), ("boy", ("girl",))]
    assert [pair.source for pair in comparative.pairs] == ["Big", "small", "big"]
    expected = [[0, 0, 1], [0, 2, 0], [1, 0, 1], [1, 2, 1], [1, 1, 2]]
    assert found.questions.tolist() == expected
    assert found.words == (
        *("king", "queen", "man", "woman", "boy", "girl"),
        *("Big", "bigger", "small", "smaller", "big"),
    )
    assert found.citation == "", "a file of one's own is nobody else's"


def test_sections_of_unknown_names_are_of_no_category(tmp_path):
    found = read_set(written(tmp_path / "a.txt", ": mine\na b c d\n: family\na b c d\n"))
    assert [relation.category for relation in found.relations] == ["", "semantic"]


@pytest.mark.parametrize("change", ["bom", "crlf", "blank lines"])
def test_how_a_file_was_saved_changes_nothing(tmp_path, change):
    saved = {
        "bom": b"\xef\xbb\xbf" + GOOGLE.encode(),
        "crlf": GOOGLE.replace("\n", "\r\n").encode(),
        "blank lines": GOOGLE.replace("\n", "\n \n").encode(),
    }[change]
    plain = read_set(written(tmp_path / "plain.txt", GOOGLE))
    assert same(plain, read_set(written(tmp_path / "other.txt", saved)))


def test_words_stay_as_they_are_written(tmp_path):
    words = ["Zürich", "Zu\u0308rich", "ÅNGSTRÖM", "日本"]
    found = read_set(written(tmp_path / "a.txt", f": x\n{' '.join(words)}\n"))
    assert list(found.words) == words


def test_googles_own_file_has_the_published_counts(data):
    path = data / "analogy" / "questions-words.txt"
    if not path.is_file():
        pytest.skip(f"no file {path}")
    found = read_set(path)
    assert (len(found.relations), found.n_questions) == (14, 19_544)
    asked = Counter(found.relations[number].category for number in found.questions[:, 0])
    assert asked == {"semantic": 8_869, "syntactic": 10_675}
    assert found.citation == GOOGLE_CITATION
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = []
    for number, given, wanted in found.questions.tolist():
        pairs = found.relations[number].pairs
        one, other = pairs[given], pairs[wanted]
        rows.append([one.source, one.target, other.source, other.target])
    assert rows == [words for words in lines if words[0] != ":"]
    assert set(found.words) == {word for row in rows for word in row}


def test_a_folder_as_bats_comes_in_asks_every_question(tmp_path):
    folder = tmp_path / "BATS_3.0"
    (one, two) = ("I01 [noun - plural_reg]", "L10 [antonyms - binary]")
    written(folder / "1_Inflectional_morphology" / f"{one}.txt", "cat\tcats\ndog\tdogs\ncar\tcars")
    written(folder / "4_Lexicographic_semantics" / f"{two}.txt", "up\tdown/below/down\nin\tout\n")
    written(folder / "README.txt", "Nothing of this is a pair.")
    written(folder / "metadata.yaml", "neither: this")
    written(folder / "__MACOSX" / f"._{one}.txt", b"\x00\xff")
    found = read_set(folder)
    assert (found.name, found.citation) == ("BATS_3.0", BATS_CITATION)
    assert [(r.name, r.category) for r in found.relations] == [
        (one, "inflection"),
        (two, "lexical"),
    ]
    assert pairs_of(found.relations[1]) == [("up", ("down", "below")), ("in", ("out",))]
    assert found.n_questions == 3 * 2 + 2 * 1
    assert "below" in found.words


def test_a_flat_folder_is_read_too_and_its_subfolders_name_categories_of_their_own(tmp_path):
    text = "a\tb\nc\td\n"
    written(tmp_path / "flat" / "E01 [x].txt", text)
    written(tmp_path / "flat" / "mine.txt", "a b\nc d\n")
    flat = read_set(tmp_path / "flat").relations
    assert [relation.category for relation in flat] == ["encyclopaedic", ""]
    assert flat[0].pairs == flat[1].pairs, "a space does where there is no tab"
    written(tmp_path / "deep" / "colours" / "mine.txt", text)
    assert read_set(tmp_path / "deep").relations[0].category == "colours"


def test_forty_files_of_fifty_pairs_are_98_000_questions(tmp_path):
    for number in range(40):
        rows = "".join(f"s{number}-{k}\tt{k}\n" for k in range(50))
        written(tmp_path / f"{'IDEL'[number // 10]}{number % 10 + 1:02} [x].txt", rows)
    found = read_set(tmp_path)
    assert (len(found.relations), found.n_questions) == (40, 98_000)
    assert Counter(r.category for r in found.relations) == dict.fromkeys(CATEGORIES, 10)


def test_a_table_joins_the_answers_of_a_source(tmp_path):
    rows = (
        "category\trelation\tsource\ttarget\n"
        "lexical\tantonym\tbig\tsmall\n"
        "\tcolour of\tnew snow\twhite\n"
        "lexical\tantonym\tup\tdown / below\n"
        "\tcolour of\tgrass\tgreen\n"
        "lexical\tantonym\tbig\tlittle\n"
    )
    found = read_set(written(tmp_path / "mine.tsv", rows))
    assert [(r.name, r.category) for r in found.relations] == [
        ("antonym", "lexical"),
        ("colour of", ""),
    ]
    assert pairs_of(found.relations[0]) == [
        ("big", ("small", "little")),
        ("up", ("down", "below")),
    ]
    assert found.relations[1].pairs[0].source == "new snow"
    assert found.n_questions == 4


REFUSED = {
    "no words": ("", "a.txt is empty"),
    "blank alone": (" \n\r\n\t\n", "a.txt is empty"),
    "not UTF-8": (
        b": x\na b c d\ncaf\xe9 b c d\n",
        r"a.txt, line 3: byte 15 \(0xe9\) is not UTF-8",
    ),
    "UTF-16": (": x\na b c d\n".encode("utf-16"), r"line 1: byte 0 \(0xff\) is not UTF-8"),
    "another form": ("a,b,c\n", "line 1: 'a,b,c' begins no set of analogy questions; expected"),
    "one file of BATS": ("cat\tcats\ndog\tdogs\n", "line 1: .*; of BATS give the folder"),
    "remarks alone": ("// x\n// y\n", "line 2: '// y' begins no set"),
    "no section": ("\na b c d\n", "line 2: a question before the first section"),
    "no name": (": x\na b c d\n:\na b c d\n", "line 3: a section without a name"),
    "section twice": (": x\na b c d\n: x\ne f g h", "line 3: section 'x' began in line 1"),
    "empty section": (": x\n: y\na b c d\n", "line 1: section 'x' is empty"),
    "empty last section": (": y\na b c d\n: x\n", "line 3: section 'x' is empty"),
    "reserved section": (": x\na b c d\n: all\n", "line 3: relation is called 'all', as results"),
    "reserved relation": (
        TABLE + "x\ta\tb\nsingle sub-tokens\tc\td\n",
        "line 3: relation is called 'single sub-tokens', as results",
    ),
    "reserved category": (
        "relation\tsource\ttarget\tcategory\nx\ta\tb\tall\n",
        "line 2: the category of relation 'x' is called 'all', as results .*; rename it",
    ),
    "three words": (": x\na b c d\na b c\n", r"line 3: 3 word\(s\) \('a b c'\), expected four"),
    "five words": (": x\na b c d e\n", r"line 2: 5 word\(s\)"),
    "same pair": (": x\na b a b\n", "line 2: the question asks for the pair that it gives"),
    "no target column": ("relation\tsource\nx\ta\n", "line 1: the header lacks target; expected"),
    "unknown column": (
        "relation\tsource\ttarget\tcatgory\n",
        "column of .*a.txt, line 1, 'catgory' .nearest: 'category'",
    ),
    "column twice": (
        "relation\tsource\ttarget\ttarget\n",
        "line 1: column 'target' is there twice",
    ),
    "header alone": (TABLE, "a.txt holds a header and no pair"),
    "two columns": (TABLE + "x\ta\n", r"line 2: 2 column\(s\) \('x\\ta'\), expected 3"),
    "blank relation": (TABLE + " \ta\tb\n", "line 2: the relation is blank"),
    "blank source": (TABLE + "x\ta\tb\nx\t\u00a0\td\n", "line 3: the source is blank"),
    "blank target": (TABLE + "x\ta\t\n", "line 2: the target is blank"),
    "blank answer": (TABLE + "x\ta\tb//c\n", "line 2: the target is blank"),
    "row twice": (
        TABLE + "x\ta\tb\nx\tc\td\nx\ta\tb\n",
        "line 4: x: a : b stands in line 2 too",
    ),
    "one source": (TABLE + "x\ta\tb\nx\tc\td\ny\te\tf\n", "line 4: relation 'y' has 1 source only"),
    "two categories": (
        "relation\tsource\ttarget\tcategory\nx\ta\tb\tone\nx\tc\td\ttwo\n",
        "line 3: relation 'x' is of category 'two', in line 2 of 'one'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_malformed_file_is_one_message_that_names_the_line(tmp_path, what):
    content, message = REFUSED[what]
    with pytest.raises(InputError, match=message) as caught:
        read_set(written(tmp_path / "a.txt", content))
    assert str(tmp_path / "a.txt") in str(caught.value)
    assert "\n" not in str(caught.value)


REFUSED_FOLDERS = {
    "no words": ("", "x.txt is empty"),
    "not UTF-8": (b"a\tb\nc\t\xff\n", r"x.txt, line 2: byte 6 \(0xff\) is not UTF-8"),
    "one column": ("a\tb\ncd\n", r"x.txt, line 2: 1 column\(s\) \('cd'\), expected two"),
    "three columns": ("a\tb\tc\n", r"x.txt, line 1: 3 column\(s\)"),
    "three words": ("a b c\n", r"x.txt, line 1: 3 column\(s\)"),
    "blank source": ("\tb\n", "x.txt, line 1: the source is blank"),
    "blank target": ("a\t\n", "x.txt, line 1: the target is blank"),
    "blank answer": ("a\tb\nc\td/\n", "x.txt, line 2: the target is blank"),
    "pair twice": ("a\tb\nc\td\na\tb/e\n", "x.txt, line 3: a : b stands in line 1 too"),
    "one pair": ("a\tb\n", "x.txt, line 1: the file has 1 pair only"),
}


@pytest.mark.parametrize("what", REFUSED_FOLDERS)
def test_a_malformed_file_of_a_folder_is_one_message_that_names_the_line(tmp_path, what):
    content, message = REFUSED_FOLDERS[what]
    written(tmp_path / "good.txt", "a\tb\nc\td\n")
    written(tmp_path / "sub" / "x.txt", content)
    with pytest.raises(InputError, match=message):
        read_set(tmp_path)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no file or folder .*none\.txt"):
        read_set(tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"holds no \.txt file, neither itself nor"):
        read_set(tmp_path)
    for folder in ("one", "two"):
        written(tmp_path / folder / "x.txt", "a\tb\nc\td\n")
    with pytest.raises(InputError, match=r"two/x.txt and .*one/x.txt are of one name"):
        read_set(tmp_path)


def test_every_question_asks_each_pair_by_each_other():
    found = every_question([relation(3), relation(2)])
    assert found.dtype == np.int64
    assert found.tolist() == [
        *([0, 0, 1], [0, 0, 2], [0, 1, 0], [0, 1, 2], [0, 2, 0], [0, 2, 1]),
        *([1, 0, 1], [1, 1, 0]),
    ]
    assert every_question([]).shape == (0, 3)


def test_a_source_of_two_pairs_is_asked_by_itself():
    twice = Relation("r", "", (Pair("Springfield", ("Illinois",)), Pair("Springfield", ("Ohio",))))
    assert every_question([twice]).tolist() == [[0, 0, 1], [0, 1, 0]]
    assert not twice.shares_targets
    assert dataclasses.replace(
        twice, pairs=(Pair("Lyon", ("France",)), Pair("Nice", ("France",)))
    ).shares_targets


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("all.txt", "all.txt: relation is called"),
        ("all/x.txt", "x.txt: the category of relation 'x'"),
    ],
)
def test_a_folder_of_a_reserved_name_is_refused(tmp_path, name, said):
    written(tmp_path / name, "a\tb\nc\td\n")
    with pytest.raises(InputError, match=f"{said}.*rename it"):
        read_set(tmp_path)


def test_more_questions_than_memory_holds_are_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_QUESTIONS", 5)
    assert len(every_question([relation(2)])) == 2
    with pytest.raises(InputError, match=r"are 8 questions, at most 5 .*relation 'big' has 3"):
        every_question([relation(2), relation(3, "big")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pair(" ", ("b",)), "has no source"),
        (lambda: Pair("a", ()), "'a' has no answer"),
        (lambda: Pair("a", ("b", "")), "answer 2 of the source 'a' is blank"),
        (lambda: Pair("a", ("b", "b")), "there twice"),
        (lambda: relation(1), r"relation 'r' has 1 pair\(s\)"),
        (lambda: relation(2, ""), "no name"),
        (lambda: relation(2, "all"), "relation is called 'all'"),
        (lambda: Relation("r", "all", relation(2).pairs), "category of relation 'r' is called"),
        (lambda: Relation("r", "", (*relation(2).pairs, Pair("a0", ("b0", "c")))), "pairs 0 and 2"),
        (lambda: AnalogySet("s", (), np.zeros((1, 3), np.int64)), "has no relation"),
        (lambda: made([[0, 0, 1]], relation(2), relation(2)), "'r' is there twice"),
        (lambda: made([]), r"shape \(0,\)"),
        (lambda: made([[0.0, 0.0, 1.0]]), "type float64"),
        (lambda: AnalogySet("s", (relation(2),), np.zeros((0, 3), np.int64)), "no question"),
        (lambda: made([[0, 0, 1], [1, 0, 1]]), "question 1 is about relation 1"),
        (lambda: made([[0, 2, 1]]), "question 0 gives pair 2 of relation 'r', which has 2"),
        (lambda: made([[0, 0, -1]]), "question 0 asks for pair -1"),
        (lambda: made([[0, 1, 1]]), "question 0 asks for pair 1 of relation 'r' and gives it"),
    ],
)
def test_what_does_not_fit_together_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def made(questions: list, *relations: Relation) -> AnalogySet:
    return AnalogySet("s", relations or (relation(2),), np.asarray(questions))
