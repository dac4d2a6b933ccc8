"""The command ends with a code and a message, whatever files, settings and flags it is given."""

import gc
import random
import re
import shutil

import pytest
import yaml

from commands import run
from spoilt import WORDS, conllu, json_lines, separated, spoilt

ENVIRONMENT = re.compile(r"disk|memory|another run|mend that, then run the same command again")
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # by `datasets`
QUICK = ("--no-random-model", "--draws", "0", "--penalties", "1e-2", "--layers", "0")


# Flags and settings.

INTEGERS = (
    "0",
    "1",
    "-1",
    "3",
    "7",
    "64",
    "65",
    "2.5",
    "x",
    "",
    "1e3",
    "99999999999999999999",
    "١",
)
WORDY = ("", "x", "-", "--", "-x", "nan", "\udcff", "a b", "é", "label", "text", "tags", "words")
MORE_LAYERS = (" 1 ", "0-1-2", "9" * 30, "٣", "all,9", "encoder.0", ".0", "0.", "+1", "1_0", "--1")
FLAGS = {
    "--layers": ("all", "0-1", "-1", "final", "9", "0-", "-", "", "1-0", ",", "0,,1", *MORE_LAYERS),
    "--pooling": ("first", "last", "mean", "max", "cls", "None", "", "Mean", "median"),
    "--truncation": ("error", "window", "truncate", "", "windows", "None"),
    "--stride": INTEGERS,
    "--max-tokens": (*INTEGERS, "4", "5"),
    "--penalties": ("1", "0", "-1", "nan", "inf", "1e-12", "1e300", "1 2", "1 1", "", "1,2", "x"),
    "--part": ("encoder", "decoder", "both", "None", "", "x"),
    "--lost": ("skip", "error", "", "drop"),
    "--store-dtype": ("float16", "float32", "float64", "", "None"),
    "--dtype": ("float64", "bfloat16", "float16", "int8", ""),
    "--unseen": ("wrong", "error", "drop", "", "x"),
    "--draws": ("0", "1", "-1", "x", "1.5", ""),
    "--seed": INTEGERS,
    "--attention": ("eager", "sdpa", "flash_attention_2", "", "x", "\udcff"),
    "--model": ("bert", "gpt2", "t5", ".", "", "no/such", "a/b/c", "t.csv", "\udcff", "-"),
    "--out": ("", ".", "t.csv", "a/b", "x\n", "\udcff", "é", "a" * 300, "-"),
    "--store": ("", "t.csv", "s", "a/b", "\udcff", "a" * 300),
    "--revision": ("main", "", "x"),
    "--config": ("", "t.csv", "nosuch", "."),
    "--deterministic": ("", "True"),
    "--trust-remote-code": ("", "x"),
    "--help": ("", "x"),
}
OF_TABLE = {
    "--task.unit": ("word", "span", "pair", "sentence", "text", ""),
    "--task.kind": ("class", "real", "tree", ""),
    "--task.text": WORDY,
    "--task.words": WORDY,
    "--task.label": (*WORDY, "value", "start", "label label", "label tags"),
    "--task.language": ("en", "xx", "zh", "ja", "", "english", "\udcff", "."),
    "--task.span": ("span", "text", "", "x"),
    "--task.nth": ("nth", "text", "", "x"),
    "--task.span2": ("span", ""),
    "--task.start": ("start", "end", "text", "value"),
    "--task.end": ("end", "start", "text", "value"),
    "--task.split": ("split", "label", "", "x"),
    "--task.group": ("group", "label", "split", ""),
    "--task.columns": ("a b", "text label", "text text", ""),
    "--task.limit": INTEGERS,
    "--task.seed": INTEGERS,
    "--task.dev": ("t.csv", "t.tsv", "", "nosuch"),
    "--task.path": ("t.csv", "t.tsv", "t.jsonl", "t.parquet", ".", "", "bert", "\udcff", "a/b/c"),
}
OF_CONLLU = {
    "--task.train": ("t.conllu", "t.csv", ".", "", "\udcff"),
    "--task.dev": ("t.conllu", "t.csv", ""),
    "--task.field": ("upos", "deprel", "head-distance", "feats.Number", "feats.", "", "upos upos"),
    "--task.limit": INTEGERS,
    "--task.seed": INTEGERS,
    "--task.subtypes": ("", "x"),
    "--task.no-subtypes": ("", "x"),
}
SETS = {"table": FLAGS | OF_TABLE, "conllu": FLAGS | OF_CONLLU}
UNITS = (
    ["--task.unit", "word", "--task.words", "words", "--task.label", "tags"],
    ["--task.unit", "span", "--task.span", "span", "--task.nth", "nth"],
    ["--task.unit", "pair"],
    ["--task.unit", "span"],
    ["--task.kind", "real", "--task.label", "value"],
    ["--task.split", "split", "--task.group", "group"],
    ["--task.unit", "word", "--task.language", "xx"],
    [],
    [],
)


def flags(draw: random.Random, known: dict, n: int) -> list[str]:
    found = []
    for _ in range(n):
        flag = draw.choice([*known])
        value = draw.choice(known[flag])
        parts = value.split(" ") if draw.random() < 0.8 else [value]
        forms = ([flag, *parts], [f"{flag}={value}"], [flag])
        found += draw.choices(forms, (7, 2, 1))[0]
    return found


def value(draw: random.Random, depth: int = 0):
    """Anything that YAML can hold."""
    plain = (None, True, 0, -1, 3, 10**30, 0.5, float("nan"), float("inf"), "", "x", "bert", "\0")
    kind = draw.random()
    if depth > 2 or kind < 0.7:
        return draw.choice(plain)
    if kind < 0.85:
        return [value(draw, depth + 1) for _ in range(draw.randint(0, 3))]
    return {draw.choice(("name", "x", 1, None)): value(draw, depth + 1) for _ in range(2)}


def settings_file(draw: random.Random) -> bytes:
    options = dict.fromkeys(("path", "text", "label", "unit", "limit", "seed", "columns"))
    task = {"name": "table", "path": "t.csv"}
    whole = {"model": "bert", "task": task, "draws": 0, "random_model": False, "layers": "0"}
    whole |= {"out": "x", "penalties": [1e-2]}
    for _ in range(draw.randint(0, 3)):
        inner = draw.random() < 0.4
        names = (
            (*options, "name", "x")
            if inner
            else (*(f[2:].replace("-", "_") for f in FLAGS), "task")
        )
        place = task if inner else whole
        place[draw.choice(names)] = draw.choice((value(draw), draw.choice(WORDY[:6])))
    if isinstance(whole.get("store"), str | None) and draw.random() < 0.1:
        whole["draws"] = draw.choice((0, 1))
    text = yaml.safe_dump(whole, sort_keys=False)
    odd = (
        "a: &a [*a]",
        "task: &t {x: *t}",
        "<<: {model: x}",
        "? [1]\n: 2",
        "? {a: 1}\n: 2",
        "---\n",
    )
    odd += (
        "x: !!python/object:os.system y",
        "model: 2001-01-01",
        "\tx: 1",
        "model: x",
        "- a",
        "'",
        "{",
    )
    odd += (
        "seed: !!int x",
        "seed: 0o17",
        "seed: 1_0",
        "model: !!binary x",
        "draws: 1:30",
        "&a *a",
        "%",
    )
    for _ in range(draw.choice((0, 0, 1))):
        text = draw.choice((text + draw.choice(odd) + "\n", draw.choice(odd) + "\n" + text))
    return spoilt(draw, text) if draw.random() < 0.4 else text.encode("utf-8", "surrogatepass")


# Cases.


def of_table(draw: random.Random) -> tuple[dict[str, bytes], list[str]]:
    suffix = draw.choice(("csv", "csv", "tsv", "jsonl", "jsonl", "json", "parquet"))
    sign = "\t" if suffix == "tsv" else ","
    text = json_lines(draw) if suffix in ("jsonl", "json") else separated(draw, sign)
    files = {f"f.{suffix}": spoilt(draw, text)}
    unit = draw.choice(UNITS)
    return files, ["probe", "--task.name", "table", "--task.path", f"f.{suffix}", *unit]


def of_conllu(draw: random.Random) -> tuple[dict[str, bytes], list[str]]:
    command = ["probe", "--task.name", "conllu", "--task.train", "f.conllu"]
    files = {"f.conllu": spoilt(draw, conllu(draw))}
    if draw.random() < 0.3:
        files["g.conllu"] = spoilt(draw, conllu(draw))
        command += ["--task.test", "g.conllu"]
    field = draw.choice(("upos", "deprel", "head-distance", "feats.Number"))
    return files, [*command, "--task.field", field]


def of_settings(draw: random.Random) -> tuple[dict[str, bytes], list[str]]:
    more = flags(draw, FLAGS, draw.choice((0, 0, 1)))
    return {"f.yaml": settings_file(draw)}, ["probe", "--config", "f.yaml", *more]


def of_flags(draw: random.Random) -> tuple[dict[str, bytes], list[str]]:
    name, path = draw.choice((("table", "path"), ("conllu", "train")))
    end = {"table": "csv", "conllu": "conllu"}[name]
    command = ["probe", "--task.name", name, f"--task.{path}", f"t.{end}"]
    return {}, [*command, *flags(draw, SETS[name], draw.randint(1, 3))]


def of_doctor(draw: random.Random) -> tuple[dict[str, bytes], list[str]]:
    suffix, text = draw.choice((("txt", "\n".join(WORDS)), ("conllu", conllu(draw))))
    names = ("--max-tokens", "--part", "--dtype", "--attention", "--revision", "--store", "--help")
    command = ["doctor", draw.choice(("bert", "gpt2", "t5")), "--file", f"f.{suffix}"]
    known = {name: FLAGS[name] for name in names} | {"--file": ("", "nosuch", ".", "\udcff")}
    return {f"f.{suffix}": spoilt(draw, text)}, command + flags(draw, known, draw.choice((0, 1)))


MAKERS = (of_table, of_conllu, of_flags, of_settings)


def case(seed: int) -> tuple[dict[str, bytes], list[str]]:
    draw = random.Random(seed)
    make = of_doctor if seed % 20 == 19 else MAKERS[seed % 4]
    files, command = make(draw)
    if command[0] == "probe" and "--config" not in command[:2]:
        truncation = ("--truncation", "window", "--lost", "skip") if draw.random() < 0.7 else ()
        command[1:1] = ["--model", "bert", "--out", "x", *QUICK, *truncation]
    return files, command


@pytest.fixture(scope="module")
def home(tiny, tmp_path_factory):
    """A folder with models and sound files."""
    home = tmp_path_factory.mktemp("home")
    for family in ("bert", "gpt2", "t5"):
        shutil.copytree(tiny(family), home / family)
    draw = random.Random(0)
    (home / "t.csv").write_text(separated(draw, ","), encoding="utf-8")
    (home / "t.tsv").write_text(separated(draw, "\t"), encoding="utf-8")
    (home / "t.jsonl").write_text(json_lines(draw), encoding="utf-8")
    (home / "t.conllu").write_text(conllu(draw), encoding="utf-8")
    yield home
    gc.collect()  # of what lies about, here where its warnings are expected


def check(home, tmp_path, seed: int) -> int:
    files, command = case(seed)
    for path in home.iterdir():
        (tmp_path / path.name).symlink_to(path)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    done = run(*command)
    said = f"seed {seed}: {command}\n{done.err[-2000:]}"
    assert done.code in (0, 1, 2), said
    assert "Traceback" not in done.err, said
    if done.code:
        assert done.err.strip(), said
        assert ENVIRONMENT.search(done.err) if done.code == 1 else not (tmp_path / "x").exists(), (
            said
        )
    return done.code


@pytest.mark.parametrize("seed", range(60))
def test_any_input_ends_with_a_code_and_a_message(home, tmp_path, monkeypatch, seed):
    monkeypatch.chdir(tmp_path)
    assert check(home, tmp_path, seed) in (0, 1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60, 1060))
def test_any_of_a_thousand_inputs_does(home, tmp_path, monkeypatch, seed):
    monkeypatch.chdir(tmp_path)
    assert check(home, tmp_path, seed) in (0, 1, 2)
