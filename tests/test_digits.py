"""Digit sequences, the job over digit networks, and the published table beside ours."""

import dataclasses
import json
from collections import Counter

import pytest
import torch
from probes_tasks.digits import draw_digits

from conftest import ROOT
from probes.configs import digest, fill, plain, read_yaml, to_yaml
from probes.errors import InputError
from probes.registry import load_task
from probes.results import Results
from probes.roles.digits import pieces
from probes.roles.digits.config import AS_PUBLISHED, SCHEMES, SHAPES, DigitsConfig, names_of
from probes.roles.digits.config import TASKS as TASK_NAMES
from probes.roles.digits.job import run_digits
from probes.roles.digits.networks import TASKS
from probes.roles.digits.published import agreement, as_published, claims, published
from probes.roles.digits.reading import ENCODERS
from probes.roles.digits.table import cells_of
from probes.roles.digits.writing import DECODERS
from probes.roles.naming import SIX

CONFIGS = sorted((ROOT / "configs").glob("tpdn-digits*.yaml"))
SMALL = dict(
    networks=("uni/uni/sort", "bi/tree/reverse"),
    schemes=("bow", "ltr"),
    seeds=2,
    sequences=900,
    longest=4,
    most_epochs=2,
)


def test_sequences_are_distinct_and_short_ones_run_out():
    drawn = draw_digits(50_000, 6, seed=0)
    lengths = Counter(map(len, drawn))
    assert len(set(drawn)) == len(drawn) == 50_000
    assert lengths[1] == 10
    assert lengths[2] == 100
    # McCoy et al.'s test split, a tenth of theirs: 1, 8, 92, 923, 1885, 2091 of length 1 to 6
    for length, tenth in ((3, 92), (4, 923), (5, 1885), (6, 2091)):
        assert lengths[length] / 10 == pytest.approx(tenth, rel=0.1)
    assert Counter(digit for s in drawn for digit in s).keys() == set(range(10))


def test_sequences_are_drawn_by_seed():
    assert draw_digits(100, 4, seed=1) == draw_digits(100, 4, seed=1)
    assert draw_digits(100, 4, seed=1) != draw_digits(100, 4, seed=2)


def test_each_digit_is_a_unit_labelled_by_itself():
    task = load_task("digits", n=200, longest=3, seed=4)
    assert [tuple(map(int, text.split())) for text in task.texts] == draw_digits(200, 3, seed=4)
    assert task.labels.tolist() == task.surfaces
    of_text = dict(zip(task.text_index.tolist(), task.splits.tolist(), strict=True))
    assert Counter(of_text.values()) == {"train": 160, "dev": 20, "test": 20}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(n=5), "n is 5; give 10 to"),
        (dict(n=60, longest=2), "give 10 to 55 sequences of 1 to 2 digits"),
        (dict(longest=0), "longest is 0"),
        (dict(seed=-1), "seed is -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, said):
    with pytest.raises(InputError, match=said):
        load_task("digits", **options)


def test_networks_are_named_by_encoder_decoder_and_task():
    assert names_of(("uni/tree/sort", "bi/bi")) == [
        ("uni", "tree", "sort"),
        *(("bi", "bi", task) for task in TASK_NAMES),
    ]
    assert set(names_of(("all",))) == published().keys()
    assert {*SHAPES, AS_PUBLISHED} == ENCODERS.keys()
    assert set(SHAPES) == DECODERS.keys()
    assert set(TASK_NAMES) == TASKS.keys()
    assert list(SCHEMES) == [scheme.name for scheme in SIX]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("networks", ("uni",), "network 'uni': expected encoder/decoder"),
        ("networks", ("uni/bo",), "decoder of the network 'uni/bo'"),
        ("networks", ("uni/uni/sorted",), "nearest: 'sort'"),
        ("networks", ("uni/uni", "uni/uni/sort"), "uni/uni/sort is named twice"),
        ("networks", (), "networks is empty"),
        ("schemes", (), "schemes is empty"),
        ("schemes", ("bi", "bi"), "one stands twice"),
        ("seeds", 0, "seeds 0: expected 1"),
        ("seed", -1, "seed -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(field, value, said):
    with pytest.raises(InputError, match=said):
        DigitsConfig(out="x", **{field: value})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_file_of_settings_is_read_and_saved_and_read_again(path, tmp_path):
    config = fill(DigitsConfig, read_yaml(path), str(path))
    saved = tmp_path / "config.yaml"
    saved.write_text(to_yaml(config), encoding="utf-8")
    again = fill(DigitsConfig, read_yaml(saved), str(saved))
    assert again == config
    assert digest(again) == digest(config)
    assert plain(config).keys() == {f.name for f in dataclasses.fields(DigitsConfig)}


def test_the_full_table_is_one_file_of_settings():
    config = fill(DigitsConfig, read_yaml(CONFIGS[-1].with_name("tpdn-digits.yaml")), "yaml")
    named = set(names_of(config.networks))
    assert {name for name in named if name[0] != AS_PUBLISHED} == published().keys()
    assert {("bi", *name[1:]) for name in named if name[0] == AS_PUBLISHED} < published().keys()
    assert config.schemes == SCHEMES
    assert (config.seeds, config.filler_dim, config.role_dim) == (3, 20, 20)
    assert config.sequences == 50_000


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A finished run of two networks on few sequences, in this process alone."""
    folder = tmp_path_factory.mktemp("digits")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run_digits(DigitsConfig(out=str(folder / "run"), **SMALL))
    yield folder
    torch.set_num_threads(n_threads)


def test_a_run_answers_every_question_once(small):
    results = Results.load(small / "run" / "results.jsonl")
    asked = Counter(
        (row.model, row.task, row.method, json.loads(row.setting).get("scheme"), row.metric)
        for row in results
    )
    for model, task in (("uni/uni", "digits/sort"), ("bi/tree", "digits/reverse")):
        assert asked.pop((model, task, "network", None, "accuracy")) == 1
        for scheme in SMALL["schemes"]:
            for metric in ("substitution-accuracy", "mse", "r2"):
                assert asked.pop((model, task, "tpdn-gradient", scheme, metric)) == 2
                assert asked.pop((model, task, "tpdn-additive", scheme, metric)) == 1
            if model == "bi/tree":
                assert asked.pop((model, task, "tpdn-gradient", scheme, "renumbered-accuracy")) == 2
                assert asked.pop((model, task, "tpdn-additive", scheme, "renumbered-accuracy")) == 1
    assert not asked
    assert {row.n for row in results} == {90}
    assert results[0].config == digest(DigitsConfig(out="elsewhere", **SMALL))


def test_the_additive_fit_is_an_upper_bound_on_the_training_of_a_scheme(small):
    results = Results.load(small / "run" / "results.jsonl")
    for row in results.where(method="tpdn-additive", metric="r2"):
        scheme = json.loads(row.setting)["scheme"]
        for other in results.where(model=row.model, method="tpdn-gradient", metric="r2"):
            if json.loads(other.setting)["scheme"] == scheme:
                assert other.value < row.value + 0.05  # scored on test: no bound to the last digit


def test_the_table_shows_ours_beside_the_paper(small):
    text = (small / "run" / "table.txt").read_text(encoding="utf-8")
    assert "uni/uni" in text
    assert "bi/tree" in text
    ours = cells_of(Results.load(small / "run" / "results.jsonl"), "tpdn-gradient")
    assert str(agreement(ours)) in text
    assert "renumbered" in text
    assert ".90" in text  # the paper's, uni/uni, sort, ltr
    for claim in claims(ours):
        assert claim.because.split(",")[0] in text


def test_a_run_goes_on_where_it_stopped_and_ends_with_the_same_results(small, monkeypatch):
    before = (small / "run" / "results.jsonl").read_bytes()
    config = DigitsConfig(out=str(small / "run"), **SMALL)
    fits = sorted((small / "networks").glob("*/tpdn-*.json"))
    assert len(fits) == 2 * 2 * 3
    fits[0].unlink()
    made, measure = [], pieces.substitution_accuracy

    def counted(*given):
        made.append(given)
        return measure(*given)

    monkeypatch.setattr(pieces, "substitution_accuracy", counted)
    run_digits(config)
    assert len(made) == 1
    assert (small / "run" / "results.jsonl").read_bytes() == before


def test_a_folder_of_another_run_is_refused(small):
    other = DigitsConfig(out=str(small / "run"), **{**SMALL, "seeds": 1})
    with pytest.raises(InputError, match="holds another run"):
        run_digits(other)


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(small, tmp_path):
    torch.set_num_threads(2)
    run_digits(DigitsConfig(out=str(tmp_path / "run"), **SMALL))
    torch.set_num_threads(1)
    ours = Results.load(tmp_path / "run" / "results.jsonl").to_pandas().drop(columns="store")
    theirs = Results.load(small / "run" / "results.jsonl").to_pandas().drop(columns="store")
    assert ours.equals(theirs)


def test_the_published_table_agrees_with_itself_and_has_the_shape_that_is_claimed():
    table = published()
    assert len(table) == 36
    assert all(list(row) == list(SCHEMES) for row in table.values())
    assert table["uni", "uni", "autoencode"]["bi"] == 0.99
    assert table["tree", "tree", "interleave"]["tree"] == 0.61
    counted = agreement(table)
    assert counted.n_close == counted.n
    assert counted.n == sum(0 < value < 1 for row in table.values() for value in row.values())
    made = claims(table)
    assert len(made) == 1 + 4 + 6 + 1
    assert all(claim.holds for claim in made)


def test_a_cell_is_close_up_to_six_hundredths():
    theirs = published()["uni", "uni", "autoencode"]
    for ltr, n_close in ((0.93, 1), (0.81, 1), (0.931, 0), (0.809, 0)):
        assert (
            agreement({("uni", "uni", "autoencode"): {"ltr": ltr, "bow": 0.5}}).n_close == n_close
        )
    assert theirs["bow"] == 0  # is not counted


def test_only_tree_decoders_are_renumbered_and_only_under_other_roles_than_the_tree():
    row, other = {"ltr": 0.5, "tree": 0.9}, {"ltr": 0.1, "tree": 0.2}
    ours = {("uni", d, "sort"): row for d in SHAPES}
    found = as_published(ours, {("uni", "tree", "sort"): other})
    assert found["uni", "uni", "sort"] == found["uni", "bi", "sort"] == row
    assert found["uni", "tree", "sort"] == {"ltr": 0.1, "tree": 0.9}


def test_the_published_encoder_stands_for_bi_where_it_is_there():
    cells = {("bi", "bi", "sort"): {"ltr": 0.5}, ("bi", "uni", "sort"): {"ltr": 0.6}}
    other = {("bi-published", "bi", "sort"): {"ltr": 0.1}}
    assert as_published(cells, {}) == cells
    assert as_published(cells | other, {})["bi", "bi", "sort"] == {"ltr": 0.1}
    assert as_published(cells | other, {}).keys() == cells.keys()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (("uni", "uni", "autoencode"), {"bi": 0.9, "ltr": 0.95, "rtl": 0.1}),
        (("uni", "uni", "autoencode"), {"bi": 0.9, "ltr": 0.8, "rtl": 0.6}),
        (("tree", "tree", "sort"), {"tree": 0.5, "ltr": 0.5}),
        (("bi", "uni", "sort"), {"bow": 0.5, "ltr": 0.7}),
    ],
)
def test_a_claim_that_the_figures_do_not_bear_out_does_not_hold(name, row):
    (claim,) = claims({name: row})
    assert not claim.holds


def test_the_decoder_decides_only_where_it_changes_more():
    high, low = {"ltr": 0.9, "tree": 0.1}, {"ltr": 0.1, "tree": 0.9}
    by_decoder = {(e, d, "sort"): high if d == "uni" else low for e in SHAPES for d in SHAPES}
    by_encoder = {(e, d, "sort"): high if e == "uni" else low for e in SHAPES for d in SHAPES}
    for cells, holds in ((by_decoder, True), (by_encoder, False)):
        (claim,) = (claim for claim in claims(cells) if "decoder decides" in claim.text)
        assert claim.holds is holds
