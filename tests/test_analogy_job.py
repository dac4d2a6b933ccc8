"""The command `probes analogy`, and what it rests on: lookup, shares, intervals."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import zoo
from probes.analogy.ask import ask
from probes.analogy.formats import read_set
from probes.analogy.methods import METHODS, answer
from probes.analogy.questions import AnalogySet, Pair, Relation, every_question
from probes.analogy.shares import Resamples, percentiles, ratio
from probes.analogy.solve import Space
from probes.analogy.vectors import checked
from probes.errors import InputError
from probes.results import Results
from tests.commands import run

N, WIDTH = 12, 20


def made(shift: float = 1.0, noise: float = 0.02, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Words of two relations whose targets lie one offset from their sources, and others."""
    random = np.random.default_rng(seed)
    words, rows = [], []
    for relation in ("r", "s"):
        offset = random.normal(size=WIDTH) * shift
        for k in range(N):
            source = random.normal(size=WIDTH)
            words += [f"{relation}{k}", f"{relation}{k}x"]
            rows += [source, source + offset + noise * random.normal(size=WIDTH)]
    words += [f"other{k}" for k in range(40)]
    rows += list(random.normal(size=(40, WIDTH)))
    return words, np.array(rows, np.float32)


def set_of(*relations: str, n: int = N) -> AnalogySet:
    built = tuple(
        Relation(
            name, f"kind-{name}", tuple(Pair(f"{name}{k}", (f"{name}{k}x",)) for k in range(n))
        )
        for name in relations
    )
    return AnalogySet("made", built, every_question(built))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    words, X = made()
    lines = [f"{w} {' '.join(map(str, row))}\n" for w, row in zip(words, X.tolist(), strict=True)]
    (tmp_path / "made.txt").write_text("".join(lines))
    rows = [f"{r}\t{r}{k}\t{r}{k}x\n" for r in ("r", "s") for k in range(N)]
    (tmp_path / "set.tsv").write_text("relation\tsource\ttarget\n" + "".join(rows))
    return tmp_path


def test_planted_offsets_are_found_and_those_of_pairs_put_together_at_random_are_not() -> None:
    words, X = made()
    vectors = checked(tuple(words), X, name="made")
    exact = ("3CosAdd", "3CosMul", "3CosAvg", "linear")
    found = answer(Space(X), ask(set_of("r", "s"), vectors), [*exact, "LRCos"])
    assert min(one.right.mean() for one in found) > 0.9
    pairs = tuple(Pair(f"r{k}", (f"r{(5 * k + 1) % N}x",)) for k in range(N))
    relation = Relation("r", "", pairs)
    shuffled = AnalogySet("shuffled", (relation,), every_question([relation]))
    found = answer(Space(X), ask(shuffled, vectors), exact)
    assert max(one.right.mean() for one in found) < 0.2


def test_accuracy_is_what_a_loop_over_questions_counts(files: Path) -> None:
    out = files / "run"
    done = run(
        *f"analogy --vectors {files}/made.txt --set {files}/set.tsv --out {out} "
        "--methods 3CosAdd --spaces as-is centred".split()
    )
    assert done.code == 0, done
    words, X = made()
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    at = {word: k for k, word in enumerate(words)}
    right = {"r": [], "s": []}
    for relation in right:
        for i, j in itertools.permutations(range(N), 2):
            a, a_star, b = (at[w] for w in (f"{relation}{i}", f"{relation}{i}x", f"{relation}{j}"))
            scores = U @ (U[a_star] - U[a] + U[b])
            scores[[a, a_star, b]] = -np.inf
            right[relation].append(words[int(scores.argmax())] == f"{relation}{j}x")
    rows = Results.load(out / "results.jsonl").where(method="3CosAdd", metric="accuracy")
    found = {
        json.loads(row.setting)["relation"]: row
        for row in rows
        if json.loads(row.setting)["space"] == "as-is"
    }
    for relation, hits in right.items():
        assert found[relation].value == pytest.approx(np.mean(hits))
        assert (found[relation].n, found[relation].n_groups) == (N * (N - 1), N)
    assert found["all"].value == pytest.approx(np.mean(right["r"] + right["s"]))
    assert found["all"].low <= found["all"].value <= found["all"].high
    assert "honest" in done.out and "ONLY-B" in done.out
    assert "(centred vectors)" in done.out
    assert "264 of 264 questions asked" in done.out
    again = run("report", out)
    assert (again.code, again.out) == (0, done.out)
    assert run("report", out, "--out", files / "page.html").code == 0
    assert (files / "page.html").read_bytes() == (out / "report.html").read_bytes()


def test_a_table_counts_questions_and_pairs_apart(files: Path) -> None:
    command = f"analogy --vectors {files}/made.txt --set {files}/set.tsv --methods"
    both = run(*f"{command} 3CosAdd LRCos --out {files}/both".split())
    assert both.code == 0, both
    lines = [line.split() for line in both.out.splitlines()]
    heads = ["relation", "questions", "pairs", "3CosAdd", "LRCos"]
    assert sum(line[:5] == heads for line in lines) == 2
    assert sum(line[:3] == ["r", "132", "12"] for line in lines) == 2
    assert sum(line[:2] == ["all", "264"] and line[2] == "24" for line in lines) == 2
    mean = [line for line in lines if line[:3] == ["mean", "over", "relations"]]
    assert sum(line[3:5] == ["264", "24"] for line in mean) == 2
    assert "LRCos answers once a pair, the others every question" in " ".join(both.out.split())
    alone = run(*f"{command} 3CosAdd --out {files}/alone".split())
    assert "once a pair" not in alone.out and "pairs" not in alone.out
    assert "questions 3CosAdd" in " ".join(alone.out.split())


def test_what_the_vocabulary_lacks_is_counted_and_case_is_not_asked_for() -> None:
    words, X = made()
    upper = tuple(word.upper() for word in words if word not in ("r3", "r5x"))
    kept = np.array([word not in ("r3", "r5x") for word in words])
    asked = ask(set_of("r", "s"), checked(upper, X[kept], name="made"))
    lost = 2 * (N - 1) + 2 * (N - 1) - 2  # r3 and r5 each at either end, and together twice
    assert asked.n_lost.tolist() == [lost, 0]
    assert len(asked.words) == 2 * N * (N - 1) - lost
    assert len(asked.whole) == 2 * N - 2
    with pytest.raises(InputError, match="none of the 132 questions of made can be asked"):
        ask(set_of("t"), checked(upper, X[kept], name="made"))


def test_several_answers_are_right_and_the_first_stands_for_the_pair() -> None:
    words, X = made()
    pairs = (Pair("r0", ("r0x", "r1")), Pair("r2", ("nowhere", "r2x", "r4")))
    of = AnalogySet("made", (Relation("r", "", pairs),), every_question([Relation("r", "", pairs)]))
    asked = ask(of, checked(tuple(words), X, name="made"))
    at = {word: k for k, word in enumerate(words)}
    assert asked.words.tolist() == [[at["r0"], at["r0x"], at["r2"]]]  # r2 has no a* to give
    both = np.array([1, 1, 1])
    assert asked.right(both, np.array([at["r2x"], at["r4"], at["r0"]])).tolist() == [1, 1, 0]


def test_questions_whose_answer_is_given_are_counted() -> None:
    words, X = made()
    pairs = (Pair("r0", ("r0x",)), Pair("r1", ("r0x",)), Pair("r2", ("r2x",)))
    of = AnalogySet("made", (Relation("r", "", pairs),), every_question([Relation("r", "", pairs)]))
    asked = ask(of, checked(tuple(words), X, name="made"))
    assert asked.given_away().sum() == 2
    only = answer(Space(X), asked, ["3CosAdd"])[0]
    assert not only.right[asked.given_away()].any()


def test_intervals_of_questions_cover_where_pairs_are_the_observations() -> None:
    n_pairs, level, hits, widths, naive = 25, 0.5, 0, [], []
    i, j = (end.copy() for end in np.nonzero(~np.eye(n_pairs, dtype=bool)))
    one = np.zeros(n_pairs, np.int64)
    drawn = Resamples.of(one, seed=1)
    for seed in range(200):
        random = np.random.default_rng(seed)
        ease = random.normal(size=n_pairs)
        right = ease[i] + ease[j] + random.normal(size=len(i)) > 0
        top, bottom = (drawn.sums(of, [i, j], one)[0] for of in (right * 1.0, np.ones(len(i))))
        found = percentiles(float(right.mean()), ratio(top, bottom), n=len(i), n_pairs=n_pairs)
        assert found.low is not None and found.high is not None
        hits += found.low <= level <= found.high
        widths.append(found.high - found.low)
        naive.append(2 * 1.96 * np.sqrt(0.25 / len(i)))
    assert hits / 200 > 0.9
    assert np.mean(widths) > 3 * np.mean(naive)


def test_every_method_is_listed_and_another_is_refused(files: Path) -> None:
    done = run(
        *f"analogy --vectors {files}/made.txt --set {files}/set.tsv --out {files}/x "
        "--methods 3CosAdds".split()
    )
    assert done.code == 2
    assert "'3CosAdds'" in done.err and "3CosAdd" in done.err
    assert set(METHODS) > {"LRCos", "ONLY-B"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--vectors nosuch.txt", "nosuch.txt"),
        ("--set nosuch.tsv", "nosuch.tsv"),
        ("--set made.txt", "made.txt"),
        ("--most-words 0", "most_words 0"),
        ("--spaces as-is as-is", "as-is, as-is"),
        ("--seed -1", "seed -1"),
    ],
)
def test_bad_input_is_one_clear_message(files: Path, monkeypatch, arguments, said) -> None:
    monkeypatch.chdir(files)
    known = {"--vectors": "made.txt", "--set": "set.tsv", "--out": "x"}
    given = arguments.split()
    known.pop(given[0], None)
    done = run("analogy", *itertools.chain.from_iterable(known.items()), *given)
    assert done.code == 2, done
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (files / "x").exists()


def test_the_same_command_gives_the_same_results(files: Path) -> None:
    command = f"analogy --vectors {files}/made.txt --set {files}/set.tsv --out {files}/one"
    assert run(*command.split()).code == 0
    first = (files / "one" / "results.jsonl").read_bytes()
    assert run(*command.split()).code == 0
    assert (files / "one" / "results.jsonl").read_bytes() == first
    assert read_set(files / "set.tsv").n_questions == 2 * N * (N - 1)


def test_every_layer_of_a_model_is_asked_in_each_way(files: Path) -> None:
    zoo.save("bert", files / "bert", n_layers=2)
    nouns = ["dog", "cat", "house", "tree", "river"]
    rows = [f"noun-plural\t{word}\t{word}s\n" for word in nouns]
    (files / "nouns.tsv").write_text("relation\tsource\ttarget\n" + "".join(rows))
    (files / "words.txt").write_text("\n".join(["walk", "green", "quickly", "under"]) + "\n")
    corpus = [f"we saw the {word} and some {word}s there" for word in nouns[:4]]
    (files / "corpus.txt").write_text("\n".join(corpus) + "\n")
    out = files / "run"
    done = run(
        *f"analogy --model {files}/bert --set {files}/nouns.tsv --candidates {files}/words.txt "
        f"--how bare template contexts --corpus {files}/corpus.txt --out {out}".split()
    )
    assert done.code == 0, done
    rows_of_all = [
        (json.loads(row.setting)["how"], row.layer, row.n, row.n_lost)
        for row in Results.load(out / "results.jsonl").where(method="3CosAdd", metric="accuracy")
        if json.loads(row.setting)["category"] == "all"
    ]
    lost = {"bare": 0, "template": 0, "contexts": 8}  # river does not occur
    assert rows_of_all == [
        (how, layer, 20 - lost[how], lost[how]) for how in lost for layer in ("0", "1", "2")
    ]
    about = json.loads((out / "run.json").read_text())["spaces"]
    assert [one["words"] for one in about] == [14] * 6 + [8] * 3
    assert "(contexts)" in done.out and "12 of 20 questions asked · 8 lost" in done.out
    again = run(
        *f"analogy --model {files}/bert --set {files}/nouns.tsv --candidates {files}/words.txt "
        f"--how bare --layers 1 --out {files}/one --store {files}/store".split()
    )
    assert again.code == 0 and "layer" in again.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--out x", "--vectors or a --model"),
        ("--out x --vectors made.txt --model bert", "--vectors or a --model"),
        ("--out x --model bert --how contexts", "--corpus"),
        ("--out x --model bert --how alone", "alone"),
        ("--out x --model nosuch --candidates made.txt", "made.txt"),
        ("--out x --vectors made.txt --layers 0", "--layers 0 would do nothing: it is of a model"),
        ("--out x --vectors made.txt --how bare", "--how bare would do nothing"),
        ("--out x --vectors made.txt --template {}", "--template {} would do nothing"),
        ("--out x --vectors made.txt --candidates c.txt", "--candidates c.txt would do nothing"),
        ("--out x --vectors made.txt --corpus c.txt", "--corpus c.txt would do nothing"),
        ("--out x --vectors made.txt --contexts 3", "--contexts 3 would do nothing"),
        ("--out x --vectors made.txt --store s", "--store s would do nothing"),
        ("--out x --config given.yaml", "--layers 1 would do nothing: it is of a model"),
        ("--out x --model bert --words w.txt", "--words w.txt would do nothing: it is the index"),
        ("--out x --model bert --corpus c.txt", "encoded so (--how bare template)"),
        ("--out x --model bert --how bare --template {}", "leave it out, or add template"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(files: Path, monkeypatch, arguments, said) -> None:
    monkeypatch.chdir(files)
    Path("given.yaml").write_text("vectors: made.txt\nlayers: '1'\n")
    done = run("analogy", "--set", "set.tsv", *arguments.split())
    assert done.code == 2, done
    assert said in done.err and "Traceback" not in done.err
