"""Treebanks: the words are the syntactic words, the splits are whole documents."""

import collections
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probes_tasks.conllu import Conllu
from probes_tasks.splits import cut_splits, draw_groups, sample_training, text_groups

from probes.errors import InputError
from probes.task import Task

ROOT = Path(__file__).parents[1]
EWT = (ROOT / os.environ.get("LAYERPROBES_DATA", "../shared/data")).resolve() / "ud_en_ewt"

FRENCH = """\
# newdoc id = lettre
# sent_id = 1
# text = Je vais au marché.
1\tJe\tje\tPRON\t_\tNumber=Sing|Person=1\t2\tnsubj\t_\t_
2\tvais\taller\tVERB\t_\tNumber=Sing|Person=1\t0\troot\t_\t_
3-4\tau\t_\t_\t_\t_\t_\t_\t_\t_
3\tà\tà\tADP\t_\t_\t5\tcase\t_\t_
4\tle\tle\tDET\t_\tGender=Masc|Number=Sing\t5\tdet\t_\t_
5\tmarché\tmarché\tNOUN\t_\tGender=Masc|Number=Sing\t2\tobl:arg\t_\tSpaceAfter=No
5.1\tvais\taller\tVERB\t_\t_\t_\t_\t2:conj\t_
6\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_

# a comment
1\t10 000\t10 000\tNUM\t_\tGender=Fem,Masc\t0\troot\t_\t_
2\t_\t_\tSYM\t_\t_\t1\tdep\t_\t_

"""


def line(number: int, form: str, upos: str, head: int, **columns: str) -> str:
    cells = {"lemma": "_", "xpos": "_", "feats": "_", "deprel": "dep", "deps": "_", "misc": "_"}
    c = cells | columns
    first = (str(number), form, c["lemma"], upos, c["xpos"])
    return "\t".join([*first, c["feats"], str(head), c["deprel"], c["deps"], c["misc"]])


def treebank(documents: list[list[list[tuple[str, str]]]], name: str = "doc") -> str:
    lines = []
    for number, document in enumerate(documents):
        lines.append(f"# newdoc id = {name}{number}")
        for sentence in document:
            lines += [line(k, w, t, k - 1) for k, (w, t) in enumerate(sentence, start=1)]
            lines.append("")
    return "\n".join(lines) + "\n"


def many(n_documents: int, n_sentences: int, name: str = "doc") -> str:
    return treebank(
        [
            [[(f"w{name}{d}.{s}", "NOUN"), ("runs", "VERB")] for s in range(n_sentences)]
            for d in range(n_documents)
        ],
        name,
    )


def load(folder: Path, train: str, dev: str = "", test: str = "", **options: object) -> list[Task]:
    paths = {}
    for split, text in (("train", train), ("dev", dev), ("test", test)):
        if text:
            path = folder / f"xx_yy-ud-{split}.conllu"
            path.write_bytes(text.encode())
            paths[split] = str(path)
    return list(Conllu(**paths, **options).load())


def of_train(task: Task) -> np.ndarray:
    return task.splits == "train"


def test_units_are_the_syntactic_words(tmp_path: Path) -> None:
    other = many(1, 2)
    (task,) = load(tmp_path, FRENCH, other, other)
    assert np.array(task.surfaces)[of_train(task)].tolist() == [
        *("Je", "vais", "à", "le", "marché", "."),
        *("10 000", "_"),
    ]
    assert task.texts[:2] == ("Je vais à le marché .", "10 000 _")
    assert task.counts["multiword_tokens"] == 1
    assert task.counts["empty_nodes"] == 1
    assert set(task.groups[of_train(task)]) == {"train:lettre"}
    assert (task.group_kind, task.title) == ("document", "xx_yy")
    assert task.source == "xx_yy-ud-train.conllu, xx_yy-ud-dev.conllu, xx_yy-ud-test.conllu"


def test_fields_are_labellings_of_one_corpus(tmp_path: Path) -> None:
    fields = ("upos", "deprel", "head-distance", "feats.Number", "feats.Gender")
    other = FRENCH.replace("Number=Sing|Person=1\t0", "Number=Plur\t0")
    tasks = load(tmp_path, other, other, other, field=fields)
    upos, deprel, distance, number, gender = tasks
    assert [task.labelling for task in tasks] == list(fields)
    assert all(task.spans is upos.spans and task.texts is upos.texts for task in tasks)
    train = of_train(upos)
    assert deprel.labels[train].tolist()[4:6] == ["obl:arg", "punct"]
    assert number.labels[train].tolist() == ["Sing", "Plur", None, "Sing", "Sing", *[None] * 3]
    assert gender.labels[train].tolist() == [*[None] * 3, "Masc", "Masc", None, "Fem,Masc", None]
    assert distance.kind == "real"
    np.testing.assert_array_equal(
        distance.labels[train], [1, np.nan, 2, 1, 3, 4, np.nan, 1], strict=False
    )


def test_relations_lose_their_subtypes_on_demand(tmp_path: Path) -> None:
    (task,) = load(tmp_path, FRENCH, FRENCH, FRENCH, field=("deprel",), subtypes=False)
    assert "obl" in task.classes
    assert not any(":" in name for name in task.classes)


def test_an_underscore_is_no_label(tmp_path: Path) -> None:
    text = many(3, 4) + treebank([[[("x", "_")]]], "more")
    (task,) = load(tmp_path, text, many(1, 1), many(1, 1))
    assert task.labels[np.array(task.surfaces) == "x"].tolist() == [None]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    (plain,) = load(tmp_path, FRENCH, FRENCH, FRENCH)
    (other,) = load(tmp_path, "\ufeff" + FRENCH.replace("\n", "\r\n"), FRENCH, FRENCH.rstrip())
    assert plain.texts == other.texts
    assert plain.labels.tolist() == other.labels.tolist()


def test_what_stands_in_misc_and_deps_is_no_matter(tmp_path: Path) -> None:
    lax = treebank([[[("a", "X"), ("b", "Y")]]]).replace("\t_\t_\n", "\t3:x|y\t==|a|=\n")
    (task,) = load(tmp_path, lax, many(1, 1), many(1, 1))
    assert task.labels[of_train(task)].tolist() == ["X", "Y"]


words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1
).filter(lambda word: word.strip() == word)
sentences = st.lists(st.tuples(words, st.sampled_from(["NOUN", "VERB"])), min_size=1, max_size=5)
documents = st.lists(st.lists(sentences, min_size=1, max_size=4), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(documents)
def test_what_is_written_as_conllu_is_read_back(tmp_path_factory, corpus) -> None:
    fixed = many(1, 1)
    train = treebank(corpus) + many(1, 1, "more")
    (task,) = load(tmp_path_factory.mktemp("bank"), train, fixed, fixed)
    flat = [pair for document in corpus for sentence in document for pair in sentence]
    train_words = np.array(task.surfaces, dtype=object)[of_train(task)].tolist()
    assert train_words[: len(flat)] == [word for word, _ in flat]
    assert task.labels[of_train(task)].tolist()[: len(flat)] == [tag for _, tag in flat]
    assert len(set(task.groups[of_train(task)])) == len(corpus) + 1


names = st.lists(st.integers(0, 12).map(str), min_size=3, max_size=80)


@given(names, st.integers(0, 99))
def test_a_cut_never_divides_a_group(groups: list[str], seed: int) -> None:
    if len(set(groups)) < 3:
        with pytest.raises(InputError, match="finer groups"):
            cut_splits(groups, ["dev", "test"], seed)
        return
    splits = cut_splits(groups, ["dev", "test"], seed)
    assert set(splits) == {"train", "dev", "test"}
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))
    only_test = cut_splits(groups, ["test"], seed)
    assert ((only_test == "test") == (splits == "test")).all()


@given(names, st.integers(1, 80), st.integers(0, 99))
def test_a_draw_is_whole_groups_about_the_target(groups: list[str], n: int, seed: int) -> None:
    drawn = draw_groups(groups, n, np.random.default_rng(seed))
    inside = {name for name, taken in zip(groups, drawn, strict=True) if taken}
    assert drawn.tolist() == [name in inside for name in groups]
    largest = max(collections.Counter(groups).values())
    assert abs(drawn.sum() - min(n, len(groups))) <= largest


@given(st.lists(st.sampled_from(["Yes .", "yes .", "No .", "Well ."]), min_size=1))
def test_the_same_words_are_one_group(texts: list[str]) -> None:
    groups = text_groups(texts)
    for a, one in zip(texts, groups, strict=True):
        for b, other in zip(texts, groups, strict=True):
            assert (one == other) == (a.lower() == b.lower())


@given(names, st.integers(1, 20))
def test_a_sample_keeps_the_other_splits_whole(groups: list[str], limit: int) -> None:
    splits = np.array(["test" if int(name) % 2 else "train" for name in groups])
    keep = sample_training(groups, splits, limit, seed=3)
    assert keep[splits == "test"].all()
    assert keep[splits == "train"].any() or not (splits == "train").any()


def test_missing_splits_are_cut_by_document_and_seed(tmp_path: Path) -> None:
    text = many(40, 5)
    (task,) = load(tmp_path, text)
    for split in ("dev", "test"):
        assert len(set(task.text_index[task.splits == split].tolist())) == 20
        assert len(set(task.groups[task.splits == split])) == 4
    (again,) = load(tmp_path, text)
    (other,) = load(tmp_path, text, seed=1)
    assert task.texts == again.texts
    assert task.texts != other.texts
    assert any("cut from train by document" in note for note in task.notes)


def test_a_bank_without_documents_is_cut_by_sentence_with_its_copies(tmp_path: Path) -> None:
    text = "\n".join(x for x in many(10, 5).split("\n") if "newdoc" not in x)
    text += "1\tYes\t_\tINTJ\t_\t_\t0\troot\t_\t_\n\n" * 9
    (task,) = load(tmp_path, text)
    assert task.group_kind == "sentence"
    assert len(set(task.splits[np.array(task.surfaces) == "Yes"])) == 1
    assert task.counts["duplicates"] == 0


def test_too_few_documents_are_cut_by_sentence_and_that_is_said(tmp_path: Path) -> None:
    (task,) = load(tmp_path, many(2, 30))
    assert task.group_kind == "sentence"
    assert any("too few to cut" in note for note in task.notes)


def test_a_limit_takes_whole_documents_and_not_the_head(tmp_path: Path) -> None:
    train, other = many(50, 4), many(2, 3, "other")
    (whole,) = load(tmp_path, train, other, other)
    (task,) = load(tmp_path, train, other, other, limit=40)
    kept = set(task.groups[of_train(task)])
    assert len(set(task.text_index[of_train(task)].tolist())) == 40
    assert len(kept) == 10
    assert kept != {f"train:doc{k}" for k in range(10)}
    assert task.counts["left_out"] == 160
    assert (task.splits == "test").sum() == (whole.splits == "test").sum()


def test_sentences_in_two_splits_are_counted(tmp_path: Path) -> None:
    train = treebank([[[("Thanks", "NOUN")], [("Go", "VERB")]]])
    test = treebank([[[("thanks", "NOUN")], [("Thanks", "NOUN")], [("New", "ADJ")]]])
    (task,) = load(tmp_path, train, many(1, 2), test)
    assert task.counts["duplicates"] == 2
    assert "2 of 3 test sentences also stand in train" in task.notes


def test_a_document_in_two_files_is_reported(tmp_path: Path) -> None:
    (task,) = load(tmp_path, many(2, 2), many(1, 1, "other"), many(1, 2))
    assert "1 documents stand in two files" in task.notes


def test_a_class_that_train_lacks_is_no_error(tmp_path: Path) -> None:
    test = treebank([[[("New", "ADJ")]]])
    (task,) = load(tmp_path, many(1, 2), many(1, 2), test)
    assert "ADJ" in task.classes


GOOD = many(1, 2)
ROW = line(1, "a", "X", 0)
BAD = {
    "is empty": "",
    "has no sentence": "# only a comment\n",
    "train.conllu, line 3: byte": "# e\n\n\xff",
    "line 1 is not CoNLL-U: 1 columns": "hello there\n",
    "line 2 is not CoNLL-U: 9 columns": f"{ROW}\n{ROW[:-2]}\n",
    "column LEMMA is empty": "1\ta\t\tX\t_\t_\t0\tdep\t_\t_\n",
    "line 3 is not CoNLL-U: id '1' stands twice": f"# c\n{ROW}\n{ROW}\n",
    "id '3' is out of order, expected 2": f"{ROW}\n{line(3, 'b', 'X', 1)}\n",
    "id 'x' is out of order": ROW.replace("1", "x", 1) + "\n",
    "head 'x' of word 1 .'a'. is no number": ROW.replace("\t0\t", "\tx\t") + "\n",
    "head '2' of word 1 .'a'. is out of range: the sentence has 1": line(1, "a", "X", 2) + "\n",
    "head '1' of word 1 .'a'. is the word itself": line(1, "a", "X", 1) + "\n",
    "the sentence has no words": "1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_\n",
    "line 2 is not CoNLL-U: column FEATS holds 'Number'": (
        f"{ROW}\n{line(2, 'b', 'X', 1, feats='Number')}\n"
    ),
    "labelling 'upos' of .* is constant: all 1 labels .* 'X'": f"{ROW}\n",
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_file_is_one_message_with_its_place(tmp_path: Path, message: str) -> None:
    path = tmp_path / "train.conllu"
    path.write_bytes(BAD[message].encode("latin-1" if "\xff" in BAD[message] else "utf-8"))
    (tmp_path / "good.conllu").write_text(GOOD)
    (tmp_path / "good2.conllu").write_text(GOOD)
    options = Conllu(str(path), str(tmp_path / "good.conllu"), str(tmp_path / "good2.conllu"))
    with pytest.raises(InputError, match=message):
        options.load()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*nowhere\.conllu"):
        Conllu(str(tmp_path / "nowhere.conllu")).load()


def test_one_file_for_two_splits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.conllu"
    path.write_text(GOOD)
    with pytest.raises(InputError, match="given as train and as test"):
        Conllu(str(path), test=str(path)).load()


@pytest.mark.parametrize(
    ("came", "nearest"),
    [("uposs", "upos"), ("feats.Nombre", "feats.Number"), ("Number", "feats.Number")],
)
def test_an_unknown_field_names_the_nearest(tmp_path: Path, came: str, nearest: str) -> None:
    with pytest.raises(InputError, match=rf"unknown field .*nearest: '{nearest}'"):
        load(tmp_path, FRENCH, FRENCH, FRENCH, field=(came,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"field": ()}, "no field"),
        ({"field": ("xpos",)}, "no unit of the train split carries a label"),
    ],
)
def test_an_option_that_asks_nothing_is_refused(tmp_path: Path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, FRENCH, FRENCH, FRENCH, **options)


@pytest.mark.skipif(not EWT.is_dir(), reason="the English Web Treebank is not there")
def test_the_english_web_treebank_has_its_known_figures() -> None:
    paths = [str(EWT / f"en_ewt-ud-{split}.conllu") for split in ("train", "dev", "test")]
    upos, distance = Conllu(*paths, field=("upos", "head-distance")).load()
    train, test = upos.splits == "train", upos.splits == "test"
    assert (train.sum(), test.sum()) == (204_577, 25_094)
    assert len(set(upos.text_index[test].tolist())) == 2_077
    assert len(set(upos.groups[test])) == 316
    assert upos.counts["duplicates"] == 105
    assert (upos.labels[test] == "NOUN").mean() == pytest.approx(0.164, abs=5e-4)
    by_word: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    surfaces = np.array(upos.surfaces, dtype=object)
    for word, label in zip(surfaces[train], upos.labels[train], strict=True):
        by_word[word][label] += 1
    best = {word: counts.most_common(1)[0][0] for word, counts in by_word.items()}
    right = [
        best.get(w, "NOUN") == y for w, y in zip(surfaces[test], upos.labels[test], strict=True)
    ]
    assert np.mean(right) == pytest.approx(0.862, abs=5e-4)
    assert distance.asked.sum() == upos.n_units - len(upos.texts)


@pytest.mark.skipif(not EWT.is_dir(), reason="the English Web Treebank is not there")
def test_a_sample_of_the_english_web_treebank_has_its_genres() -> None:
    paths = [str(EWT / f"en_ewt-ud-{split}.conllu") for split in ("dev", "test")]
    (task,) = Conllu(paths[0], test=paths[1], limit=400).load()
    kept = task.groups[of_train(task)]
    assert 350 < len(set(task.text_index[of_train(task)].tolist())) < 450
    genres = {str(name).split(":")[1].split("-")[0] for name in kept}
    assert {"weblog", "newsgroup", "email", "reviews", "answers"} <= genres
