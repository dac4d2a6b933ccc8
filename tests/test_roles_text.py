"""Decompositions of sentence encodings: what is put back, what is cut out, what is fitted."""

import functools
import json
from collections import Counter

import numpy as np
import pytest
import torch
from probes_tasks.english import English

import zoo
from probes.encoders import TextEncoder
from probes.encoders.head import load_with_head
from probes.encoders.patch import Patches
from probes.errors import InputError
from probes.results import Results
from probes.roles.naming import parse_scheme
from probes.roles.rows import RowMaker
from probes.roles.schemes import Own
from probes.roles.sequences import Sentence
from probes.roles.text.fits import fit_scheme, permuted
from probes.roles.text.job import run_text
from probes.roles.text.rows import fit_rows
from probes.roles.text.settings import RolesTextConfig
from probes.roles.text.substitute import compare, is_read, restored, restored_state, substitute
from probes.roles.text.surgery import draw_edits, replaced
from probes.roles.text.tables import tables
from probes.roles.text.texts import Texts
from probes.roles.text.words import BEFORE, word_components
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.ratios import estimate, explained, mean_of
from probes.task import sentence_task

CLASSES = {"a": "D", "the": "D", "on": "P"}
CLASSES |= dict.fromkeys(("dog", "light", "sailors", "children", "she", "reports"), "N")
CLASSES |= dict.fromkeys(("watched", "like", "walks", "answered"), "V")
WORDS = list(CLASSES)
WHOLE = Own(lambda s: [tuple(s)] * len(s), "the whole sentence")
"""A scheme that can store any encoding of any sentence, so that its decomposition is exact."""


def sentences(n, seed=0, length=4):
    random = np.random.default_rng(seed)
    drawn = [tuple(random.choice(WORDS, length).tolist()) for _ in range(n)]
    return [Sentence(w, {"upos": tuple(CLASSES[x] for x in w)}) for w in drawn]


def text(sentence):
    return " ".join(sentence.words)


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny):
    """Encoder, what reads it, and pooling, of a causal model with its head and of one without."""

    @functools.cache
    def load(family):
        if family == "bert":
            encoder = TextEncoder.from_pretrained(tiny("bert"))
            weight = torch.randn(48, 5, generator=torch.Generator().manual_seed(0))
            return encoder, lambda states: states @ weight, "mean"
        folder = tmp_path_factory.mktemp("headed")
        zoo.save(family, folder, auto="AutoModelForCausalLM")
        return *load_with_head(str(folder)), "last"

    return load


FAMILIES = pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])


def states(model, sentences):
    encoder, _, pooling = model
    patches = Patches(encoder, [text(s) for s in sentences], pooling)
    return {layer: own.numpy() for layer, own in patches.own(encoder.layers).items()}


@FAMILIES
def test_own_encodings_and_an_exact_decomposition_restore_all_and_the_mean_nothing(model, family):
    encoder, reader, pooling = model(family)
    some = sentences(9)
    own = states(model(family), some)
    put = {}
    for layer, Z in own.items():
        exact = AdditiveTPDN(WHOLE, penalties=[1e-12]).fit(some, Z, dev=(some, Z)).predict(some)
        mean = np.broadcast_to(Z.mean(0), Z.shape)
        put[layer] = torch.from_numpy(np.stack([Z, exact, mean]).astype(np.float32))
    found = substitute(encoder, reader, [text(s) for s in some], pooling, put)
    assert set(found) == set(encoder.layers)
    for outputs in found.values():
        baseline = outputs[2]
        assert outputs.agree[:2].all() and (outputs.bits[:2] < 1e-5).all()
        assert restored(outputs[0], baseline).value == pytest.approx(1, abs=1e-3)
        assert restored(outputs[1], baseline).value == pytest.approx(1, abs=1e-3)
        assert restored(baseline, baseline).value == restored_state(baseline, baseline).value == 0


@FAMILIES
def test_surgery_with_an_exact_decomposition_puts_the_edited_sentence_in(model, family):
    encoder, reader, pooling = model(family)
    before = sentences(9)
    edits = draw_edits(before, before, 9)
    before = [before[e.sentence] for e in edits]
    after = [replaced(s, e.position, e.new) for s, e in zip(before, edits, strict=True)]
    both = [*before, *after]
    own = states(model(family), both)
    put = {}
    for layer, Z in own.items():
        exact = AdditiveTPDN(WHOLE, penalties=[1e-12]).fit(both, Z, dev=(both, Z))
        cut = Z[:9] + (exact.predict(after) - exact.predict(before))
        put[layer] = torch.from_numpy(np.stack([cut, Z[9:]]).astype(np.float32))
    texts, wanted = [text(s) for s in before], [text(s) for s in after]
    found = substitute(encoder, reader, texts, pooling, put, references=wanted)
    for outputs in found.values():
        assert np.abs(outputs.bits[0] - outputs.bits[1]).max() < 1e-4  # as the edited state itself
    top = found[encoder.layers[-1]]
    assert top.agree.all() and (top.bits < 1e-5).all()


def test_surgery_moves_an_encoding_by_two_bindings():
    some = sentences(40)
    Z = np.random.default_rng(1).standard_normal((2, 40, 5))
    scheme = parse_scheme("ltr+wickel:upos")
    fitted = AdditiveTPDN(scheme).fit(some, Z)
    edit = draw_edits(some, some, 1)[0]
    old = some[edit.sentence]
    lost, gained = fitted.predict([old, replaced(old, edit.position, edit.new)]).swapaxes(0, 1)
    move = gained - lost
    expected = 0
    for part, roles in enumerate(p.roles(old) for p in scheme.parts):
        for sign, word in ((1, edit.new), (-1, edit.old)):
            role = roles[edit.position]
            number = fitted.vocabulary_.role(role, part)
            pair = fitted.vocabulary_.filler(word) * fitted.n_roles_ + number
            if pair in fitted._pairs:
                expected = expected + sign * fitted.binding(word, role, part)
    np.testing.assert_allclose(move, expected, atol=1e-10)


def test_edits_are_of_training_words_of_the_same_class_and_drawn_by_seed():
    some, training = sentences(30, seed=1), sentences(30, seed=2)
    known = {word for sentence in training for word in sentence.words}
    edits = draw_edits(some, training, 50, seed=3)
    assert edits == draw_edits(some, training, 50, seed=3) != draw_edits(some, training, 50, seed=4)
    for edit in edits:
        assert some[edit.sentence].words[edit.position] == edit.old
        assert len({edit.old, edit.new, edit.other}) == 3
        assert {edit.old, edit.new, edit.other} <= known
        assert CLASSES[edit.old] == CLASSES[edit.new] == CLASSES[edit.other]
    assert max(Counter(edit.sentence for edit in edits).values()) <= 2  # evenly


def test_an_edit_changes_one_word_of_a_text():
    one = Sentence(("do", "n't", "stop", "!"))
    texts = Texts((one,), ("don't stop!",), (((0, 2), (2, 5), (6, 10), (10, 11)),))
    for place, word in ((0, "would"), (1, ""), (3, "?!")):
        edited = texts.edited([(place, word)])
        words = [*one.words[:place], word, *one.words[place + 1 :]]
        assert [edited.texts[0][a:b] for a, b in edited.spans[0]] == words
        assert edited.sentences[0].words == tuple(words)
        assert len(edited.texts[0]) == 11 + len(word) - len(one.words[place])


def test_permuted_roles_are_the_same_roles_dealt_out_anew():
    some = sentences(50, length=6)
    for name in ("ltr", "bi", "wickel:upos", "ltr+rtl", "bow"):
        scheme, control = parse_scheme(name), permuted(parse_scheme(name), seed=1)
        for sentence in some:
            dealt = control.roles(sentence)
            assert Counter(map(str, dealt)) == Counter(map(str, scheme.roles(sentence)))
            assert dealt == control.roles(sentence)
    ltr = parse_scheme("ltr")
    assert np.mean([permuted(ltr).roles(s) == ltr.roles(s) for s in some]) < 0.1


def test_noise_has_a_normalised_error_of_one():
    some = {
        split: sentences(n, seed=n) for split, n in (("train", 300), ("dev", 100), ("test", 200))
    }
    random = np.random.default_rng(0)
    scale = np.geomspace(0.1, 3, 60)
    Z = {s: 3 + scale * random.standard_normal((2, len(x), 60)) for s, x in some.items()}
    vectors = {word: random.standard_normal(3) for word in WORDS}
    for kind in ("given", "additive"):
        fit = fit_scheme(parse_scheme("ltr"), kind, some, Z, vectors)
        np.testing.assert_allclose(fit.errors.mean(1) / fit.random, 1, atol=0.1)


def test_planted_roles_are_told_from_permuted_ones():
    some = {
        split: sentences(n, seed=n) for split, n in (("train", 300), ("dev", 100), ("test", 200))
    }
    random = np.random.default_rng(0)
    vectors = {word: random.standard_normal(3) for word in WORDS}
    maps = random.standard_normal((4, 3, 6))
    Z = {
        split: np.stack([sum(vectors[w] @ maps[i] for i, w in enumerate(s.words)) for s in x])[None]
        for split, x in some.items()
    }
    fit = fit_scheme(parse_scheme("ltr"), "given", some, Z, vectors)
    bow = fit_scheme(parse_scheme("bow"), "given", some, Z, vectors)
    assert fit.errors.mean() < 1e-3 * bow.errors.mean()
    assert fit.errors.mean() < 1e-3 * fit.permuted.mean()
    assert bow.permuted is None


def test_a_layer_that_is_constant_has_no_share_of_variance():
    some = {split: sentences(60, seed=n) for n, split in enumerate(("train", "dev", "test"))}
    Z = {split: np.ones((1, 60, 3), np.float32) for split in some}
    fit = fit_scheme(parse_scheme("bow"), "additive", some, Z, {})
    fixed = dict.fromkeys(("run", "task", "task_version", "model", "revision"), "")
    make = RowMaker({**fixed, "store": "", "config": "", "n_layers": 1})
    rows = {row.metric: row.value for row in fit_rows(make, [fit], ["0"], Z["test"])}
    assert rows["r2"] is None and rows["normalised-mse"] is None and rows["mse"] < 1e-12


def test_words_are_their_rows_of_the_table_whatever_their_place(tiny):
    encoder = TextEncoder.from_pretrained(tiny("gpt2"))
    table = encoder.model.get_input_embeddings().weight.double()
    words = ["dog", "unbelievably", "light"]
    found = word_components(encoder, words, table.shape[1])
    rows = {}
    for word in words:
        pieces = encoder.tokenize([BEFORE + word])
        ids = pieces.ids[pieces.content]
        before = len(encoder.tokenize([BEFORE.strip()]).content)
        rows[word] = table[torch.from_numpy(ids[before:])].mean(0)
    for a, b in (("dog", "light"), ("dog", "unbelievably")):
        whole = (rows[a] - rows[b]).norm()
        assert np.linalg.norm(found[a] - found[b]) == pytest.approx(float(whole), rel=1e-4)
    few = word_components(encoder, words, 5)
    np.testing.assert_allclose(few["dog"], found["dog"][:5], atol=1e-5)


def test_shares_are_one_where_nothing_is_left_and_nought_where_all_is():
    whole = np.random.default_rng(0).uniform(1, 2, 150)
    assert explained(0 * whole, whole).value == 1
    assert explained(whole, whole).value == 0
    half = estimate((1.0, explained(0.5 * whole, whole)))
    assert half.value == pytest.approx(0.5)
    assert estimate((1.0, explained(whole, 0 * whole))).value is None
    difference = estimate((1.0, mean_of(whole)), (-1.0, mean_of(whole - 0.25)))
    assert difference.value == pytest.approx(0.25)
    noisy = estimate((1.0, explained(whole * np.random.default_rng(1).uniform(0, 1, 150), whole)))
    assert noisy.low < 0.5 < noisy.high and noisy.high - noisy.low < 0.2


def test_sentences_of_one_document_are_not_counted_as_many():
    random = np.random.default_rng(0)
    whole = random.uniform(1, 2, 150)
    left = whole * random.uniform(0, 1, 150)
    once = estimate((1.0, explained(left, whole)))
    thrice = (1.0, explained(left.repeat(3), whole.repeat(3)))
    again = estimate(thrice, codes=np.arange(150).repeat(3))
    assert (again.n, again.n_groups) == (450, 150)
    assert (again.low, again.high) == pytest.approx((once.low, once.high), abs=2e-3)
    alone = estimate(thrice)
    assert alone.high - alone.low < 0.7 * (once.high - once.low)


def test_an_interval_names_what_it_counts():
    words = [["a", "b"]] * 200
    groups = [str(k // 4) for k in range(200)]
    task = sentence_task(
        [" ".join(row) for row in words], ["x"] * 200, splits=["test"] * 200, groups=groups,
        group_kind="document", name="t", labelling="l",
    )  # fmt: skip
    documents = RowMaker({}).over(task, np.arange(200))
    assert documents.by == "document" and documents.codes.max() == 49
    edits = RowMaker({}).over(task, np.array([3, 3, 8]))  # one sentence, edited twice
    assert edits.by == "sentence" and edits.codes.tolist() == [0, 0, 1]


@pytest.mark.slow
def test_intervals_of_shares_hold_what_they_should():
    hits, n = 0, 400
    for seed in range(n):
        random = np.random.default_rng(seed)
        whole = random.gamma(1.0, 1.0, 150)
        left = whole * random.uniform(0, 1, 150)
        found = estimate((1.0, explained(left, whole)))
        hits += found.low <= 0.5 <= found.high
    assert 0.92 <= hits / n <= 0.98


def test_a_layer_that_changes_nothing_is_unread():
    reference = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    near = compare(lambda s: s, reference, (reference + 1e-3)[None] * 1.001)
    far = compare(lambda s: s, reference, torch.zeros(1, 20, 6))
    assert not is_read(near[0]) and is_read(far[0])


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_a_run_answers_for_every_layer_and_scheme_and_again_alike(
    family, tiny, tmp_path_factory, tmp_path
):
    folder = tiny("bert")
    if family == "gpt2":
        folder = str(tmp_path_factory.mktemp("headed"))
        zoo.save("gpt2", folder, auto="AutoModelForCausalLM")
    schemes = ("ltr", "wickel:pos", "tree:parse", "bow")
    config = RolesTextConfig(
        model=folder,
        task=English(field=("pos", "head"), sentences=150),
        out=str(tmp_path / "run"),
        schemes=schemes,
        components=5,
        shortest=3,
        substitutions=12,
        edits=12,
        alike="pos",
        answers="pos",
    )
    out = run_text(config)
    first = (out / "results.jsonl").read_bytes()
    run_text(config)
    assert (out / "results.jsonl").read_bytes() == first
    results = Results.load(out / "results.jsonl")
    layers = json.loads((out / "run.json").read_text())["layers"]
    keys = Counter((r.layer, r.method, r.metric, r.setting) for r in results)
    assert max(keys.values()) == 1
    for method, metric in (
        *(("tpdn-given", metric) for metric in ("mse", "r2", "normalised-mse", "unseen-pairs")),
        ("tpdn-additive", "r2"),
        *(("substitution", metric) for metric in ("agreement", "kl", "kl-restored")),
        ("surgery", "kl-restored"),
        ("surgery-other-word", "kl-restored"),
        ("decomposition-of-edited", "agreement"),
    ):
        rows = results.where(method=method, metric=metric)
        found = {(r.layer, json.loads(r.setting)["scheme"]) for r in rows}
        assert found == {(layer, scheme) for layer in layers for scheme in schemes}
    top = results.one(method="edited-state", metric="kl", layer=layers[-1])
    assert top.value < 1e-5
    assert len(list(tables(results, 80))) == 8


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"alike": "upos"}, "no annotation 'upos'"), ({"pooling": "max"}, "cannot be put back")],
)
def test_what_cannot_be_put_in_is_refused_before_anything_is_fitted(
    setting, said, tiny, tmp_path, monkeypatch
):
    monkeypatch.setattr("probes.roles.text.job._fit", None)
    with pytest.raises(InputError, match=said):
        run_text(
            RolesTextConfig(
                model=tiny("bert"), task=English(sentences=150), out=str(tmp_path / "run"),
                schemes=("ltr",), shortest=3, answers="pos", **setting,
            )
        )  # fmt: skip
