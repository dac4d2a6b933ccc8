"""Laws of the sentences that role schemes are given: words, annotations, trees, and lengths."""

import dataclasses
import re

import numpy as np
import pytest
import spacy
from probes_tasks.conllu import Conllu
from probes_tasks.english import English
from spacy.language import Language
from spacy.tokens import Doc

from probes.errors import InputError
from probes.roles.naming import parse_scheme
from probes.roles.text.corpus import NOTHING, narrowed, select, sentences_of
from probes.roles.trees import paths
from probes.task import Task, sentence_task, word_task


def path_by_definition(heads: list[int], word: int) -> str:
    """Follow the heads up: no merges, no tree, only how many dependents stand where."""
    right = sum(head == word and other > word for other, head in enumerate(heads, 1))
    left = sum(head == word and other < word for other, head in enumerate(heads, 1))
    path = "R" * left + "L" * right
    while head := heads[word - 1]:
        siblings = [other for other, its in enumerate(heads, 1) if its == head]
        if word < head:  # it is merged after all right ones and the left ones that are nearer
            path = "R" * sum(other < word for other in siblings) + "L" + path
        else:  # before all left ones and the right ones that are farther
            later = "R" * sum(other < head for other in siblings)
            path = later + "L" * sum(other > word for other in siblings) + "R" + path
        word = head
    return path or "L"


def some_words(sentences, heads, **columns) -> list[Task]:
    labels = {"head": heads, **columns}
    splits = [("train", "dev", "test")[k % 3] for k in range(len(sentences))]
    return [
        word_task(
            sentences,
            rows,
            splits=splits,
            groups=[str(k) for k in range(len(sentences))],
            name="made",
            labelling=name,
        )
        for name, rows in labels.items()
    ]


def random_heads(draw: np.random.Generator, n: int) -> list[int]:
    """Hang each word, in random order, on one that hangs already; arcs may cross."""
    order = draw.permutation(n) + 1
    heads = [0] * n
    for k in range(1, n):
        heads[order[k] - 1] = int(order[draw.integers(k)])
    return heads


def test_tree_roles_of_heads_are_those_of_the_rule_however_it_is_computed():
    draw = np.random.default_rng(0)
    heads = [random_heads(draw, n) for n in range(1, 15) for _ in range(40)]
    words = [[f"w{k}" for k in range(len(row))] for row in heads]
    scheme = parse_scheme("tree:parse")
    for sentence, row in zip(sentences_of(some_words(words, heads)), heads, strict=True):
        expected = [path_by_definition(row, word) for word in range(1, len(row) + 1)]
        assert scheme.roles(sentence) == expected


def test_the_tree_of_a_sentence_that_one_can_read():
    task = some_words([["the", "dog", "barks", "now"]] * 3, [[2, 3, 0, 3]] * 3)
    assert paths(sentences_of(task)[0].tree) == ("LL", "LR", "RL", "RR")


def test_the_grammar_gives_words_annotations_and_the_tree_of_its_heads():
    tasks = English(field=("pos", "deprel", "head", "depth"), sentences=100).load()
    depths = iter(tasks[3].labels)
    for k, sentence in enumerate(sentences_of(tasks)):
        assert " ".join(sentence.words) == tasks[0].texts[k]
        assert set(sentence.annotations) == {"pos", "deprel"}
        assert [relation == "root" for relation in sentence.annotations["deprel"]] == [
            depth == 0 for depth in (next(depths) for _ in sentence)
        ]
        assert len(sentence.tree) == len(sentence) - 1


def constituents(brackets: str) -> set[tuple[int, int]]:
    """Read the first and last word of each constituent of two words or more."""
    found, opened, n = set(), [], 0
    for token in re.findall(r"\([^\s()]+ [^\s()]+\)|\(|\)", brackets):
        if token == "(":
            opened.append(n)
        elif token == ")":
            found.add((opened.pop(), n))
        else:
            n += 1
    return {(a, b) for a, b in found if b - a > 1}


def test_every_constituent_of_the_grammar_is_a_node_of_the_tree_of_its_brackets():
    from probes_tasks.grammar import generate

    (task,) = English(field=("brackets",), sentences=100).load()
    for sentence, gold in zip(sentences_of([task]), generate(0), strict=False):
        n = len(sentence)
        spans = [(k, k + 1) for k in range(n)]
        for left, right in sentence.tree:
            assert spans[left][1] == spans[right][0]
            spans.append((spans[left][0], spans[right][1]))
        assert constituents(gold.brackets) <= set(spans)


def test_the_parts_of_brackets_make_the_brackets_again():
    from probes_tasks.english import parts_of_brackets
    from probes_tasks.grammar import generate

    for _, sentence in zip(range(100), generate(1), strict=False):
        parts = parts_of_brackets(sentence.brackets)
        leaves = [
            f"({tag} {word})" for tag, word in zip(sentence.tags, sentence.words, strict=True)
        ]
        whole = "".join(p.replace("*", leaf) for p, leaf in zip(parts, leaves, strict=True))
        assert whole == sentence.brackets.replace(" (", "(")


def test_heads_of_a_treebank_come_through_and_a_word_without_a_label_has_nothing(tmp_path):
    rows = [
        "1\tDogs\t_\tNOUN\t_\tNumber=Plur\t2\tnsubj\t_\t_",
        "2\tbark\t_\tVERB\t_\t_\t0\troot\t_\t_",
    ]
    paths = {}
    for split in ("train", "dev", "test"):
        paths[split] = str(tmp_path / f"{split}.conllu")
        other = "1\tGo\t_\tVERB\t_\tNumber=Sing\t0\troot\t_\t_"
        (tmp_path / f"{split}.conllu").write_text("\n".join([*rows, "", other, "", ""]))
    tasks = Conllu(**paths, field=("upos", "feats.Number", "head")).load()
    first, second = sentences_of(tasks)[:2]
    assert first.tree == ((0, 1),)
    assert second.tree == ()
    assert first.annotations == {"upos": ("NOUN", "VERB"), "feats.Number": ("Plur", NOTHING)}


def test_a_text_without_a_parse_has_no_tree_and_says_so():
    tasks = some_words([["a", "b"]] * 3, [["0", "1"], [None, "1"], ["2", "0"]])
    found = sentences_of(tasks)
    assert [sentence.tree is None for sentence in found] == [False, True, False]
    with pytest.raises(InputError, match="'a b' carries no tree"):
        parse_scheme("tree:parse").roles(found[1])


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (["0", "0"], "2 roots"),
        (["2", "1"], "0 roots"),
        (["0", "x"], "'x' is no number"),
        (["0", "3"], "head 3 of word 2"),
    ],
)
def test_heads_that_are_no_tree_are_refused_with_their_text(heads, said):
    tasks = some_words([["c", "d"], ["a", "b"], ["e", "f"]], [["0", "1"], heads, ["0", "1"]])
    with pytest.raises(InputError, match=rf"text 1 \('a b'\): .*{said}"):
        sentences_of(tasks)


@pytest.mark.parametrize(
    ("parts", "said"), [(["(S*", "*"], "lacks 1 closing"), (["(S", "*)"], "expected one \\*")]
)
def test_brackets_that_do_not_match_are_refused_with_their_text(parts, said):
    tasks = some_words(
        [["a", "b"]] * 3, [["0", "1"]] * 3, brackets=[["(S*", "*)"], ["(S*", "*)"], parts]
    )
    with pytest.raises(InputError, match=rf"text 2 \('a b'\): .*{said}"):
        sentences_of(tasks[1:])


def test_what_is_not_over_the_same_words_is_refused():
    (task,) = some_words([["a", "b"]] * 3, [["0", "1"]] * 3)
    (other,) = some_words([["a", "c"]] * 3, [["0", "1"]] * 3)
    whole = sentence_task(task.texts, ["x"] * 3, splits=["train"] * 3, name="s", labelling="l")
    for tasks, said in (
        ([task, other], "not over the words"),
        ([whole], "is of sentences"),
        ([], "no labelling"),
        (some_words([["a"]] * 3, [["0"]] * 3, brackets=[["(S*)"]] * 3), "head and brackets both"),
    ):
        with pytest.raises(InputError, match=said):
            sentences_of(tasks)


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    """Save a pipeline that hangs each word on the next; a full stop is a root of its own."""

    def chain(doc: Doc) -> Doc:
        ends = {k for k, token in enumerate(doc) if token.text == "."} | {len(doc) - 1}
        heads = [k if k in ends else k + 1 for k in range(len(doc))]
        return Doc(
            doc.vocab,
            words=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
            heads=heads,
            deps=["ROOT" if k in ends else "dep" for k in range(len(doc))],
            pos=["PUNCT" if token.text == "." else "X" for token in doc],
        )

    Language.component("chain_of_tests", func=chain)
    nlp = spacy.blank("en")
    nlp.add_pipe("chain_of_tests")
    folder = tmp_path_factory.mktemp("pipelines") / "chain"
    nlp.to_disk(folder)
    return str(folder)


def test_a_pipeline_that_the_user_names_gives_trees_and_tags(parser):
    tasks = some_words([["a", "b", "c"], ["a", ".", "b"], ["d", "e", "f"]], [["0", "1", "2"]] * 3)
    words = [tasks[0].relabel("mine", tasks[0].labels)]
    found = sentences_of(words, parser)
    assert found[0].annotations["upos"] == ("X", "X", "X")
    assert found[1].annotations["upos"] == ("X", "PUNCT", "X")
    assert parse_scheme("tree:parse").roles(found[0]) == ["LL", "LR", "R"]
    assert [sentence.tree is None for sentence in found] == [False, True, False]
    with pytest.raises(InputError, match="head and the spaCy pipeline both give trees"):
        sentences_of(tasks, parser)


def test_a_pipeline_sees_the_words_and_the_spaces_of_the_text(tmp_path):
    seen = []

    def note(doc: Doc) -> Doc:
        seen.append((doc.text, [token.text for token in doc]))
        return doc

    Language.component("note_of_tests", func=note)
    nlp = spacy.blank("en")
    nlp.add_pipe("note_of_tests")
    nlp.to_disk(tmp_path / "note")
    text = "I can't"
    task = Task(
        name="raw",
        labelling="l",
        unit="word",
        kind="class",
        texts=(text, "so", "it"),
        text_index=np.array([0, 0, 0, 1, 2]),
        spans=np.array([[0, 1], [2, 4], [4, 7], [0, 2], [0, 2]]),
        labels=np.array(list("abcde"), dtype=object),
        splits=np.array(["train"] * 3 + ["dev", "test"]),
        groups=np.array(list("aaabc")),
    )
    with pytest.raises(InputError, match="has no parser"):
        sentences_of([task], str(tmp_path / "note"))
    assert seen[0] == (text, ["I", "ca", "n't"])
    with pytest.raises(InputError, match="cannot be loaded"):
        sentences_of([task], str(tmp_path / "nowhere"))


def test_narrowing_keeps_the_texts_of_a_length_with_their_units_and_counts_the_others():
    tasks = English(field=("pos",), sentences=300).load()
    sentences = sentences_of(tasks)
    chosen = select(sentences, 5, 8)
    task = narrowed(tasks[0], chosen)
    lengths = [len(sentence) for sentence in sentences]
    kept = [k for k, n in enumerate(lengths) if 5 <= n <= 8]
    assert task.texts == tuple(tasks[0].texts[k] for k in kept)
    assert sentences_of([task]) == [sentences[k] for k in kept]
    assert task.surfaces == [word for k in kept for word in sentences[k].words]
    assert task.counts["texts under 5 words"] == sum(n < 5 for n in lengths)
    assert task.counts["texts over 8 words"] == sum(n > 8 for n in lengths)
    assert len(kept) + chosen.n_short + chosen.n_long == 300


def test_duplicates_are_counted_among_the_texts_that_are_kept():
    words = [["a", "b"], ["A", "B"], ["a", "b"], ["c"], ["c"], ["c"]]
    (task,) = some_words(words, [["0"] * len(row) for row in words])
    splits = np.array(["train"] * 4 + ["test"] * 2 + ["train", "test", "test"])
    task = dataclasses.replace(
        task, splits=splits, groups=np.array(list("aabbccdef")), counts={"duplicates": 3}
    )
    sentences = [["a", "b"]] * 3 + [["c"]] * 3
    assert narrowed(task, select(sentences, 2, 2)).counts["duplicates"] == 1
    assert narrowed(task, select(sentences, 1, 1)).counts["duplicates"] == 2


@pytest.mark.parametrize("lengths", [(0, 3), (4, 3), (90, 99)])
def test_lengths_that_no_text_has_are_refused(lengths):
    with pytest.raises(InputError, match="words"):
        select([["a"] * 3], *lengths)
