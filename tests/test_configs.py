"""Settings: flag = key = field; strict, exact, and the same when they are read back."""

import dataclasses
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from probes.configs import (
    PENALTIES,
    ProbeConfig,
    RolesProbeConfig,
    digest,
    fill,
    plain,
    read_yaml,
    to_yaml,
)
from probes.errors import InputError
from probes.flags import flags_of, plain_config, task_config
from probes.registry import find_tasks, task_options
from probes.roles.digits.config import DigitsConfig
from probes.roles.text.settings import RolesTextConfig

ROLES = {
    "roles-demo": RolesProbeConfig,
    "roles-ewt": RolesProbeConfig,
    "roles-demo-fit": RolesTextConfig,
    "roles-minilm": RolesTextConfig,
    "tpdn-digits": DigitsConfig,
    "tpdn-digits-demo": DigitsConfig,
}
TRAIN = {path.stem for path in (ROOT / "configs").glob("train-*.yaml")}  # tests/test_train.py
OTHERS = {*ROLES, *TRAIN}
FILES = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.stem not in OTHERS)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12)


@dataclasses.dataclass(frozen=True)
class Inner:
    name: str = "x"
    rates: tuple[float, ...] = ()
    limit: int | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    task: Inner
    seed: int = 0
    ready: bool = False
    words: tuple[str, ...] = ("a",)


@pytest.mark.parametrize(("name", "cls"), ROLES.items())
def test_every_file_of_roles_is_read_and_saved_as_it_was(name, cls, tmp_path):
    path = ROOT / "configs" / f"{name}.yaml"

    def read(where):
        given = ["--config", str(where)]
        has_task = "task" in read_yaml(where)
        return (task_config if has_task else plain_config)(cls, "roles", given)

    config = read(path)
    saved = tmp_path / "config.yaml"
    saved.write_text(to_yaml(config), encoding="utf-8")
    assert to_yaml(read(saved)) == to_yaml(config)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_of_configs_is_read_and_saved_and_read_again(path, tmp_path):
    config = task_config(ProbeConfig, "probe", ["--config", str(path)])
    given = read_yaml(path)
    assert config.model == given["model"]
    assert config.task.name == given["task"]["name"]
    saved = tmp_path / "config.yaml"
    saved.write_text(to_yaml(config), encoding="utf-8")
    again = task_config(ProbeConfig, "probe", ["--config", str(saved)])
    assert plain(again) == plain(config)
    assert to_yaml(again) == to_yaml(config)
    assert digest(again) == digest(config)
    fields = {f.name for f in dataclasses.fields(ProbeConfig)}
    assert yaml.safe_load(to_yaml(config)).keys() == fields


@pytest.mark.parametrize("task", ["english", "conllu", "table"])
def test_every_flag_is_a_key_and_a_field(task):
    assert task in find_tasks()
    known = {flag.removeprefix("--").replace("-", "_") for flag in flags_of(ProbeConfig)}
    fields = {f.name for f in dataclasses.fields(ProbeConfig)} - {"task"}
    assert fields <= known | {"task"}
    assert known - fields <= {f"no_{name}" for name in fields} | {"task"}
    own = {flag.removeprefix("--").replace("-", "_") for flag in flags_of(task_options(task))}
    assert {f.name for f in dataclasses.fields(task_options(task))} <= own


@given(
    st.builds(
        Outer,
        task=st.builds(
            Inner,
            name=TEXTS,
            rates=st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple),
            limit=st.none() | st.integers(),
        ),
        seed=st.integers(),
        ready=st.booleans(),
        words=st.lists(TEXTS).map(tuple),
    )
)
def test_what_is_saved_is_read_back_equal(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "saved.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert fill(Outer, read_yaml(path), "x") == config


def test_a_digest_changes_with_any_value():
    base = Outer(Inner())
    others = [
        dataclasses.replace(base, seed=1),
        dataclasses.replace(base, ready=True),
        dataclasses.replace(base, words=("b",)),
        dataclasses.replace(base, task=Inner(limit=0)),
    ]
    assert len({digest(config) for config in [base, *others]}) == 5


def test_a_hyphen_is_an_underscore_and_a_single_value_is_a_list():
    config = fill(ProbeConfig, {"model": "m", "task": 0, "out": "o", "store-dtype": "float16"}, "x")
    assert config.store_dtype == "float16"
    assert fill(Outer, {"task": {"rates": "1e-3"}, "words": "b"}, "x").task.rates == (1e-3,)
    assert fill(Outer, {"task": {"rates": [1, "1e-2"]}}, "x").task.rates == (1, 1e-2)
    assert fill(Outer, {"task": {}, "words": "b"}, "x").words == ("b",)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tsak": {}}, ["key in x.yaml", "'tsak'", "nearest: 'task'", "known: ready, seed"]),
        ({"task": {"naem": "y"}}, ["x.yaml, key 'task'", "'naem'", "nearest: 'name'"]),
        ({"task": {}, "ready": True, "seed-": 3}, ["'seed-'", "nearest: 'seed'"]),
        ({}, ["x.yaml lacks the key 'task'"]),
        ({"task": "english"}, ["key 'task'", "expected keys with values", "'english'"]),
        ({"task": None}, ["key 'task'", "expected keys with values", "None"]),
        ({"task": {}, "seed": "many"}, ["key 'seed'", "'many'", "integer"]),
        ({"task": {}, "seed": 1.5}, ["key 'seed'", "1.5"]),
        ({"task": {}, "seed": True}, ["key 'seed'", "True", "integer"]),
        ({"task": {}, "seed": None}, ["key 'seed'", "None", "integer"]),
        ({"task": {}, "ready": "yes"}, ["key 'ready'", "'yes'", "boolean"]),
        ({"task": {}, "words": [1]}, ["key 'words'", "string"]),
        ({"task": {"name": 3}}, ["key 'name'", "came 3", "string"]),
        ({"task": {"rates": ["x"]}}, ["key 'rates'", "number"]),
        ({"task": {"limit": {}}}, ["key 'limit'"]),
    ],
)
def test_a_wrong_value_is_named_with_its_key(values, words):
    with pytest.raises(InputError) as caught:
        fill(Outer, values, "x.yaml")
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["holds no keys", "model: bert-base-uncased"]),
        (b"# nothing\n", ["holds no keys"]),
        (b"- a\n", ["holds no keys"]),
        (b"text", ["holds no keys"]),
        (b"a: [", ["is no YAML", "line 1"]),
        (b"a: 1\nb:\n  c: 2\n  c: 3\n", ["'c' stands twice (line 3)"]),
        (b"a: 1\na: 1\n", ["'a' stands twice (line 1)"]),
        (b"a: 1\n---\nb: 1\n", ["is no YAML", "single document"]),
        (b"? [a, b]\n: c\n", ["is no YAML", "unhashable"]),
        (b"a: !!int x\n", ["is no YAML", "invalid literal"]),
        (b"[" * 5000, ["is no YAML", "recursion"]),
        (b"a: !!python/object/apply:os.getcwd []\n", ["is no YAML", "tag"]),
        (b"a: \xff\n", ["byte 3 is not UTF-8"]),
        (b"a: \x00\n", ["is no YAML", "#x0000"]),
        (None, ["no configuration file", "--config"]),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, words):
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert all(word in str(caught.value) for word in words), caught.value


# What a file says of `probes probe`, and what the message says.
WRONG = {
    "modle: m": ["'modle'", "nearest: 'model'"],
    "store-dtype: float16\nstore_dtype: float32": ["'store_dtype' stands twice"],
    "model: 3": ["key 'model'", "came 3", "string"],
    "out: ~": ["key 'out'", "None", "string"],
    "revision: 2024-01-01": ["key 'revision'", "write it in quotes"],
    "draws: many": ["key 'draws'", "'many'", "integer"],
    "layers: &a [*a]": ["key 'layers'", "Circular reference"],
    "dtype: float31": ["key 'dtype'", "'float31'", "'float32'"],
    "penalties: [.nan]": ["nan", "all positive"],
    "penalties: []": ["at least one"],
    "seed: -1": ["seed -1", "expected 0"],
    "task: english": ["key 'task'", "expected keys with values"],
    "task: {name: [a]}": ["key 'task'", "['a']", "a task's name"],
    "task: {name: englsh}": ["'englsh'", "nearest: 'english'"],
    "task: {name: english, sentence: 3}": ["'sentence'", "nearest: 'sentences'"],
    "task: {name: english, sentences: [3]}": ["key 'sentences'", "[3]", "integer"],
    "task: {}": ["no task; choose one with --task.name"],
}


@pytest.mark.parametrize("lines", WRONG)
def test_a_wrong_file_is_refused_by_the_command(tmp_path, lines):
    path = tmp_path / "x.yaml"
    others = {"model": "m", "out": "o", "task": "{name: english}"}
    rest = [f"{key}: {value}" for key, value in others.items() if f"{key}:" not in lines]
    path.write_text("\n".join([lines, *rest]) + "\n")
    with pytest.raises(InputError) as caught:
        task_config(ProbeConfig, "probe", ["--config", str(path)])
    assert all(word in str(caught.value) for word in WRONG[lines]), caught.value


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("penalties", [(), (0.0,), (-1.0,), (math.nan,), (math.inf,), (1.0, 1.0)]),
        ("draws", [-1]),
        ("seed", [-1, 2**32]),
    ],
)
def test_a_value_out_of_its_range_is_refused(field, values):
    assert ProbeConfig(model="m", task=None, out="o").penalties == PENALTIES
    for value in values:
        with pytest.raises(InputError, match=field):
            ProbeConfig(model="m", task=None, out="o", **{field: value})
