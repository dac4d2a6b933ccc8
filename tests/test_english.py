"""The embedded English corpus: its gold analyses hold together, and no word gives a label away."""

import hashlib
import itertools
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from probes_tasks.english import English, depths
from probes_tasks.grammar import Sentence, generate
from probes_tasks.grammar_draw import Draw
from probes_tasks.grammar_words import all_words, divide
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from probes.errors import InputError
from probes.registry import load_task, load_tasks
from probes.task import SPLITS

FIELDS = ("pos", "deprel", "depth", "tense", "subject-number", "length")
PLURAL_PRONOUNS = {"they", "we", "you"}
SINGULAR_PRONOUNS = {"he", "she"}


@pytest.fixture(scope="module")
def corpus() -> list[Sentence]:
    return take(8000)


def take(n: int, seed: int = 0, attractors: int = 3) -> list[Sentence]:
    return list(itertools.islice(generate(seed, attractors), n))


def digest(sentences: Sequence[Sentence]) -> str:
    return hashlib.sha256(repr(sentences).encode()).hexdigest()


def children(sentence: Sentence, at: int, relation: str) -> list[int]:
    rows = zip(sentence.heads, sentence.deprels, strict=True)
    return [i for i, (head, name) in enumerate(rows) if head == at + 1 and name == relation]


def constituents(brackets: str) -> tuple[list[tuple[str, str]], list[tuple[int, int]]]:
    """The (tag, word) leaves of bracketed text, and where each phrase starts and ends."""
    leaves: list[tuple[str, str]] = []
    spans: list[tuple[int, int]] = []
    stack: list[tuple[str, int]] = []
    tokens = brackets.replace("(", " ( ").replace(")", " ) ").split()
    for before, token in itertools.pairwise(["", *tokens]):
        if token == ")":
            _, start = stack.pop()
            spans.append((start, len(leaves)))
        elif before == "(":
            stack.append((token, len(leaves)))
        elif token != "(":
            leaves.append((stack[-1][0], token))
    assert not stack
    return leaves, spans


# Determinism


def test_a_seed_gives_the_same_corpus_in_every_process() -> None:
    code = (
        "import hashlib, itertools; from probes_tasks.grammar import generate; "
        "print(hashlib.sha256(repr(list(itertools.islice(generate(5), 300))).encode()).hexdigest())"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.strip() == digest(take(300, seed=5))


def test_a_changed_corpus_needs_a_new_version() -> None:
    assert load_task("english", sentences=100).version == "1"
    assert digest(take(1000)).startswith("5255c80911757b10")


def test_another_seed_gives_other_sentences() -> None:
    first = {sentence.words for sentence in take(1000)}
    second = {sentence.words for sentence in take(1000, seed=1)}
    assert len(first & second) < 20


def test_more_sentences_only_add_to_fewer() -> None:
    assert take(500)[:200] == take(200)


def test_tens_of_thousands_of_sentences_are_distinct() -> None:
    assert len({sentence.words for sentence in take(30_000)}) == 30_000


# The gold analyses


def test_dependencies_are_trees_with_one_root(corpus: list[Sentence]) -> None:
    for sentence in corpus:
        n = len(sentence.words)
        assert {len(sentence.upos), len(sentence.heads), len(sentence.deprels)} == {n}
        assert sentence.heads.count(0) == 1
        assert sentence.deprels.count("root") == 1
        assert sentence.deprels[sentence.heads.index(0)] == "root"
        for at in range(n):
            seen = set()
            while sentence.heads[at]:
                assert at not in seen
                seen.add(at)
                at = sentence.heads[at] - 1


def test_brackets_hold_the_words_and_their_tags(corpus: list[Sentence]) -> None:
    for sentence in corpus:
        leaves, _ = constituents(sentence.brackets)
        assert leaves == list(zip(sentence.tags, sentence.words, strict=True))


def test_each_constituent_has_one_word_that_depends_on_the_outside(
    corpus: list[Sentence],
) -> None:
    for sentence in corpus[:3000]:
        for start, end in constituents(sentence.brackets)[1]:
            inside = range(start + 1, end + 1)
            assert sum(sentence.heads[at] not in inside for at in range(start, end)) == 1


def test_depth_is_one_more_than_the_depth_of_the_head(corpus: list[Sentence]) -> None:
    for sentence in corpus[:1000]:
        depth = depths(sentence.heads)
        for at, head in enumerate(sentence.heads):
            assert depth[at] == (depth[head - 1] + 1 if head else 0)


def test_finite_verbs_agree_with_their_subjects(corpus: list[Sentence]) -> None:
    checked = 0
    for sentence in corpus:
        for at, (form, tag) in enumerate(zip(sentence.words, sentence.tags, strict=True)):
            word = form.lower()
            if word in ("was", "were"):
                plural = word == "were"
            elif tag in ("VBZ", "VBP"):
                plural = tag == "VBP"
            else:
                continue
            assert is_plural(sentence, at) == plural, sentence
            checked += 1
    assert checked > 0.8 * len(corpus)


def is_plural(sentence: Sentence, finite: int) -> bool:
    """Number of the subject that a finite verb or auxiliary agrees with."""
    verb = finite
    if sentence.deprels[verb] in ("aux", "cop"):
        verb = sentence.heads[verb] - 1
    while not children(sentence, verb, "nsubj"):
        assert sentence.deprels[verb] == "conj"
        verb = sentence.heads[verb] - 1
    (subject,) = children(sentence, verb, "nsubj")
    if sentence.tags[subject] in ("WDT", "WP"):
        subject = sentence.heads[verb] - 1
    word, tag = sentence.words[subject].lower(), sentence.tags[subject]
    if children(sentence, subject, "conj") and sentence.deprels[verb] != "acl:relcl":
        return True
    if tag == "PRP":
        assert word in PLURAL_PRONOUNS | SINGULAR_PRONOUNS
        return word in PLURAL_PRONOUNS
    assert tag in ("NN", "NNS", "NNP")
    return tag == "NNS"


def test_the_subject_number_is_that_of_the_subject_noun(corpus: list[Sentence]) -> None:
    for sentence in corpus:
        if sentence.subject_number is not None:
            (subject,) = children(sentence, sentence.heads.index(0), "nsubj")
            plural = sentence.tags[subject] == "NNS"
            assert sentence.subject_number == ("plural" if plural else "singular")


def test_determiners_agree_with_their_nouns(corpus: list[Sentence]) -> None:
    singular, plural = {"a", "an", "every", "this", "that"}, {"these", "those", "all"}
    for sentence in corpus:
        for at, word in enumerate(sentence.words):
            if sentence.deprels[at] == "det":
                tag = sentence.tags[sentence.heads[at] - 1]
                assert word.lower() not in singular or tag == "NN"
                assert word.lower() not in plural or tag == "NNS"
            if word.lower() in ("a", "an"):
                vowel = sentence.words[at + 1][0] in "aeiou"
                assert vowel == (word.lower() == "an")


def test_no_word_of_the_lexicon_breaks_the_rule_of_a_and_an() -> None:
    words = all_words()
    nouns = [noun.singular.form for pool in words.nouns.values() for noun in pool.ambiguous]
    nouns += [noun.singular.form for pool in words.nouns.values() for noun in pool.plain]
    adjectives = [word.form for row in words.adjectives.values() for word in row]
    for form in nouns + adjectives:
        assert not form.startswith(("uni", "use", "eu", "one", "hour", "hon", "heir"))


def test_a_sentence_starts_with_a_capital_and_ends_with_a_stop(corpus: list[Sentence]) -> None:
    for sentence in corpus:
        assert sentence.words[0][0].isupper()
        assert sentence.words[-1] in (".", "?")
        assert (sentence.words[-1] == "?") == sentence.brackets.startswith(("(SQ", "(SBARQ"))


# What occurs


def test_every_construction_occurs(corpus: list[Sentence]) -> None:
    counts: Counter[str] = Counter()
    for s in corpus:
        found = {f"relation {name}" for name in s.deprels}
        found |= {f"tag {tag}" for tag in s.tags}
        found |= {f"upos {upos}" for upos in s.upos}
        words = {word.lower() for word in s.words}
        found |= {"negation"} if "not" in words else set()
        found |= {"yes-no question"} if s.brackets.startswith("(SQ") else set()
        found |= {"wh-question"} if s.brackets.startswith("(SBARQ") else set()
        for at, relation in enumerate(s.deprels):
            if relation == "acl:relcl":
                wh = [i for i in children(s, at, "nsubj") if s.tags[i] in ("WDT", "WP")]
                found.add("subject relative" if wh else "object relative")
            if s.upos[at] == "VERB" and relation == "root":
                has = {name for name in ("obj", "iobj") if children(s, at, name)}
                found.add({0: "intransitive", 1: "transitive", 2: "ditransitive"}[len(has)])
                auxiliaries = {s.words[i].lower() for i in children(s, at, "aux")}
                found |= {"perfect"} if auxiliaries & {"has", "have", "had"} else set()
                progressive = s.tags[at] == "VBG" and auxiliaries
                found |= {"progressive"} if progressive else set()
        counts.update(found)
    required = {
        *("intransitive", "transitive", "subject relative", "object relative", "negation"),
        *("yes-no question", "wh-question", "perfect", "progressive"),
        *(f"relation {name}" for name in ("nmod", "obl", "amod", "advmod", "conj", "cc")),
        *(f"relation {name}" for name in ("ccomp", "xcomp", "advcl", "cop", "expl", "aux", "mark")),
        *(f"tag {tag}" for tag in ("VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "MD", "NN", "NNS")),
        *(f"upos {upos}" for upos in ("PROPN", "NUM", "PRON", "SCONJ", "CCONJ", "PART", "ADV")),
    }
    assert {name for name in required if counts[name] < 0.02 * len(corpus)} == set()
    for name in ("ditransitive", "relation acl", "relation iobj"):
        assert counts[name] >= 0.01 * len(corpus)


def test_attractors_number_from_none_to_three(corpus: list[Sentence]) -> None:
    counts = Counter(sentence.attractors for sentence in corpus)
    assert set(counts) == {0, 1, 2, 3}
    assert min(counts.values()) > 0.03 * len(corpus)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_more_attractors_than_asked_for(most: int) -> None:
    assert max(sentence.attractors for sentence in take(1500, attractors=most)) == most


def test_numbers_and_tenses_are_balanced(corpus: list[Sentence]) -> None:
    for name in ("subject_number", "tense"):
        values = Counter(getattr(sentence, name) for sentence in corpus)
        del values[None]
        assert max(values.values()) < 0.53 * values.total()


# No word gives a label away


@pytest.mark.parametrize("seed", range(5))
def test_no_main_verb_and_no_subject_noun_stands_in_two_splits(seed: int) -> None:
    verbs, nouns = defaultdict(set), defaultdict(set)
    for sentence in take(2000, seed):
        root = sentence.heads.index(0)
        if sentence.subject_number is not None:
            (subject,) = children(sentence, root, "nsubj")
            nouns[sentence.split].add(sentence.lemmas[subject])
            joined = [i for i in children(sentence, root, "conj")]
            own = [i for i in joined if not children(sentence, i, "nsubj")]
            verbs[sentence.split] |= {sentence.lemmas[i] for i in [root, *own]}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not verbs[one] & verbs[other]
        assert not nouns[one] & nouns[other]


def test_no_form_of_a_main_verb_stands_in_two_splits() -> None:
    forms: dict[str, set[str]] = {}
    for split, main in divide(Draw(0)).items():
        pools = main.verbs.values()
        verbs = [verb for pool in pools for verb in [*pool.ambiguous, *pool.plain]]
        leaves = [leaf for verb in verbs for leaf in verb[1:7]]
        forms[split] = {leaf.form for leaf in leaves}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not forms[one] & forms[other]


def test_a_quarter_of_the_tokens_can_belong_to_two_categories(corpus: list[Sentence]) -> None:
    tags = defaultdict(Counter)
    for sentence in corpus:
        for word, upos in zip(sentence.words, sentence.upos, strict=True):
            tags[word.lower()][upos] += 1
    ambiguous = sum(found.total() for found in tags.values() if len(found) > 1)
    assert ambiguous >= 0.25 * sum(found.total() for found in tags.values())


@pytest.mark.parametrize("fold", [True, False], ids=["caseless", "as written"])
def test_word_identity_gets_at_most_85_percent_of_the_parts_of_speech(fold: bool) -> None:
    task = load_task("english", field=("pos",))
    words = np.array([word.lower() if fold else word for word in task.surfaces])
    train, test = task.splits == "train", task.splits == "test"
    seen = defaultdict(Counter)
    for word, label in zip(words[train], task.labels[train], strict=True):
        seen[word][label] += 1
    commonest = Counter(task.labels[train]).most_common(1)[0][0]
    guesses = [seen[w].most_common(1)[0][0] if w in seen else commonest for w in words[test]]
    accuracy = np.mean(np.array(guesses, dtype=object) == task.labels[test])
    assert 0.5 < accuracy <= 0.85


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("name", "most"), [("subject-number", 0.65), ("tense", 0.77)])
def test_a_bag_of_words_does_not_know_the_main_clause(name: str, most: float, seed: int) -> None:
    task = load_task("english", field=(name,), sentences=8000, seed=seed)
    counts = CountVectorizer(token_pattern=r"\S+")
    part = {split: task.asked & (task.splits == split) for split in SPLITS}
    texts = np.array(task.texts, dtype=object)
    X = {"train": counts.fit_transform(texts[part["train"]])}
    X |= {split: counts.transform(texts[part[split]]) for split in ("dev", "test")}
    y = {split: task.labels[part[split]].astype(str) for split in SPLITS}
    models = [LogisticRegression(C=C, max_iter=3000) for C in (0.001, 0.01, 0.1, 1.0)]
    for model in models:
        model.fit(X["train"], y["train"])
    best = max(models, key=lambda model: model.score(X["dev"], y["dev"]))
    assert best.score(X["test"], y["test"]) <= most


# The task


def test_every_labelling_loads_by_name_over_one_corpus() -> None:
    tasks = load_tasks("english", field=FIELDS, sentences=300)
    assert [task.labelling for task in tasks] == list(FIELDS)
    assert {task.texts for task in tasks} == {tasks[0].texts}
    for word, sentence in zip(tasks[:3], tasks[3:], strict=True):
        assert word.unit == "word" and sentence.unit == "sentence"
        assert np.array_equal(word.spans, tasks[0].spans)
        assert np.array_equal(sentence.spans, tasks[3].spans)
    assert [task.kind for task in tasks] == ["class", "class", "real", "class", "class", "real"]
    assert tasks[3].classes == ["past", "present"]
    assert tasks[4].classes == ["plural", "singular"]


def test_the_splits_are_80_10_10() -> None:
    task = load_task("english", field=("length",), sentences=1000)
    assert Counter(task.splits.tolist()) == {"train": 800, "dev": 100, "test": 100}


def test_words_stand_where_their_spans_say() -> None:
    task = load_task("english", sentences=200)
    assert task.surfaces == [word for sentence in take(200) for word in sentence.words]


def test_length_counts_the_words() -> None:
    task = load_task("english", field=("length",), sentences=200)
    assert task.labels.tolist() == [len(text.split()) for text in task.texts]


def test_sentences_without_a_label_are_counted() -> None:
    for task in load_tasks("english", field=("tense", "subject-number"), sentences=500):
        assert task.counts["unlabelled"] == task.n_units - task.asked.sum() > 0
        assert task.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"field": ("poss",)}, "nearest: 'pos'"),
        ({"field": ()}, "one or more of pos"),
        ({"field": "pos"}, "give a list"),
        ({"field": ("pos", "pos")}, "given twice"),
        ({"sentences": 99}, "sentences is 99; give 100 to 100000"),
        ({"sentences": 100_001}, "give 100 to 100000"),
        ({"seed": -1}, "seed is -1"),
        ({"attractors": 4}, "give 0 to 3"),
    ],
)
def test_bad_options_say_what_is_possible(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        English(**options).load()  # type: ignore[arg-type]
