"""Bad input: one message that says what, where and what to do; exit code 2; and nothing left."""

import json
import shutil
from pathlib import Path

import pytest
import transformers
from safetensors.numpy import load_file, save_file

from commands import FAST, QUICK, run, write_treebank

ENGLISH = "--task.name english --model bert"
CONLLU = "--task.name conllu --model bert --task.train"
TABLE = "--task.name table --model bert --task.label tense --task.path"


@pytest.fixture(scope="module")
def home(tiny, tmp_path_factory):
    """A folder with a model, data, configurations and a finished run, and damaged ones of each."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(tiny("bert"), home / "bert")
    save_data(home)
    save_models(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        command = ["probe", "--model", "bert", *FAST, "--layers", "0", "--store", "stores"]
        done = run(*command, "--out", "finished")
    assert done.code == 0, done.err
    return home


def save_data(home: Path) -> None:
    for name in ("train", "dev", "test"):
        write_treebank(home / f"{name}.conllu", name)
    write_treebank(home / "constant.conllu", "owl", tags=("NOUN", "NOUN"))
    write_treebank(home / "unlabelled.conllu", "owl", tags=("_", "_"))
    whole = (home / "train.conllu").read_bytes()
    (home / "latin.conllu").write_bytes(whole.replace(b"train3", b"tr\xe4in"))
    (home / "prose.conllu").write_text("# a comment\nhello world\n")
    (home / "empty.conllu").write_text("")
    (home / "comments.conllu").write_text("# only\n\n")
    (home / "control.conllu").write_bytes(whole.replace(b"bark", b"\x01"))
    (home / "t.csv").write_text("text,tense\n" + "".join(f"a {k},{k % 2}\n" for k in range(30)))
    (home / "constant.csv").write_text("text,tense\n" + "".join(f"a {k},x\n" for k in range(30)))
    (home / "ragged.csv").write_text("text,tense\na,b,c\n")
    (home / "junk.parquet").write_text("junk")
    (home / "other").mkdir()
    (home / "other" / "file").write_text("of somebody")
    (home / "foreign").mkdir()
    (home / "foreign" / "config.yaml").write_bytes(b"\xff: 1\n")


def save_models(home: Path) -> None:
    def damaged(name: str) -> Path:
        return Path(shutil.copytree(home / "bert", home / name))

    for path in damaged("no-tokenizer").glob("token*"):
        path.unlink()
    (damaged("no-weights") / "model.safetensors").unlink()
    weights = damaged("cut-weights") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    (damaged("junk-weights") / "model.safetensors").write_bytes(b"junk" * 10)
    (damaged("junk-config") / "config.json").write_text("{")
    (damaged("junk-tokenizer") / "tokenizer.json").write_text('{"added_tokens": []}')
    config = json.loads((home / "bert" / "config.json").read_text())
    wide = json.dumps(config | {"hidden_size": 96})
    (damaged("wide") / "config.json").write_text(wide)
    small = damaged("small")
    (small / "config.json").write_text(json.dumps(config | {"vocab_size": 20}))
    tensors = load_file(small / "model.safetensors")
    name = next(key for key in tensors if "word_embeddings" in key)
    tensors[name] = tensors[name][:20].copy()
    save_file(tensors, small / "model.safetensors", metadata={"format": "pt"})
    size = {"hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
    vit = transformers.ViTConfig(**size, intermediate_size=64, image_size=32, patch_size=16)
    transformers.ViTModel(vit).save_pretrained(damaged("vit"))
    (home / "no-model").mkdir()


# The arguments of `probes probe`, and what its message says.
PROBE = {
    # flags
    "--task.name english": ("--model", "--out"),
    "--task.name english --model bert": ("--out",),
    "--model bert --out x": ("no task", "conllu, digits, english, glue, images, table"),
    "--task.name": ("--task.name lacks its value",),
    "--task.name englsh --model bert --out x": ("'englsh'", "nearest: 'english'"),
    f"{ENGLISH} --out x --modle m": ("'--modle'", "nearest: '--model'"),
    f"{ENGLISH} --out x --mod m": ("'--mod'", "nearest: '--model'"),
    f"{ENGLISH} --out x -x": ("'-x'", "probes probe --help"),
    f"{ENGLISH} --out x --task.sentence 3": ("'--task.sentence'", "nearest: '--task.sentences'"),
    f"{ENGLISH} --out x --task.train t": ("of the task 'english'", "probes tasks english"),
    f"{ENGLISH} --out x stray": ("stray",),
    f"{ENGLISH} --out x --store \udcff": ("the argument '\\udcff' is not UTF-8", "rename"),
    f"{ENGLISH} --out x --draws": ("--draws",),
    f"{ENGLISH} --out x --draws many": ("--draws", "'many'"),
    f"{ENGLISH} --out x --draws -1": ("draws -1", "expected 0"),
    f"{ENGLISH} --out x --draws 9999999999": ("draws 9999999999", "expected 0", "to 1,000"),
    f"{ENGLISH} --out x --seed -1": ("seed -1", "expected 0"),
    f"{ENGLISH} --out x --seed 99999999999999999999": ("expected 0 to 4294967295",),
    f"{ENGLISH} --out x --penalties": ("expected at least one",),
    f"{ENGLISH} --out x --penalties -1": ("-1.0", "all positive"),
    f"{ENGLISH} --out x --penalties nan": ("nan", "all positive"),
    f"{ENGLISH} --out x --penalties 1 1": ("one stands twice",),
    f"{ENGLISH} --out x --dtype float31": ("float31", "float32"),
    f"{ENGLISH} --out x --random-model true": ("true",),
    # layers and limits
    f"{ENGLISH} --out x --layers 0-99": ("'0-99'", "layers of this model: 0-3"),
    f"{ENGLISH} --out x --layers fianl": ("'fianl'", "0-3"),
    f"{ENGLISH} --out x --max-tokens 0": ("--max-tokens 0", "3 to 64"),
    f"{ENGLISH} --out x --attention nosuch": ("nosuch", "eager"),
    # the task's own options
    f"{ENGLISH} --out x --task.field poss": ("'poss'", "nearest: 'pos'"),
    f"{ENGLISH} --out x --task.sentences 3": ("sentences is 3", "100 to 100000"),
    f"{ENGLISH} --out x --task.seed -1": ("seed is -1",),
    # models
    "--task.name english --out x --model nosuch": ("no model 'nosuch'", "hub"),
    "--task.name english --out x --model no-model": ("no-model", "no config.json"),
    "--task.name english --out x --model t.csv": ("t.csv",),
    "--task.name english --out x --model no-tokenizer": ("without a tokenizer", "tokenizer.json"),
    "--task.name english --out x --model no-weights": ("no-weights", "no file named model.safe"),
    "--task.name english --out x --model cut-weights": ("cut-weights", "damaged or incomplete"),
    "--task.name english --out x --model junk-weights": ("junk-weights", "damaged or incomplete"),
    "--task.name english --out x --model junk-config": ("junk-config", "not a valid JSON"),
    "--task.name english --out x --model junk-tokenizer": ("tokenizer", "damaged or incomplete"),
    "--task.name english --out x --model wide": ("is 48 there, 96 by the configuration",),
    "--task.name english --out x --model small": ("20 embeddings", "belong together"),
    "--task.name english --out x --model vit": ("no text model", "one that reads text"),
    # data
    f"{CONLLU} nosuch.conllu --out x": ("no file nosuch.conllu", "check the path"),
    f"{CONLLU} other --out x": ("other", "give a CoNLL-U file"),
    f"{CONLLU} empty.conllu --out x": ("empty.conllu is empty",),
    f"{CONLLU} comments.conllu --out x": ("comments.conllu has no sentence",),
    f"{CONLLU} latin.conllu --out x": ("latin.conllu, line 10", "not UTF-8"),
    f"{CONLLU} prose.conllu --out x": ("prose.conllu, line 2 is not CoNLL-U", "expected 10"),
    f"{CONLLU} constant.conllu --out x": ("is constant", "'NOUN'"),
    f"{CONLLU} unlabelled.conllu --out x": ("no unit of the train split carries a label",),
    f"{CONLLU} train.conllu --task.dev unlabelled.conllu --out x": ("no unit of the dev split",),
    f"{CONLLU} train.conllu --task.test empty.conllu --out x": ("empty.conllu is empty",),
    f"{CONLLU} train.conllu --task.dev train.conllu --out x": ("given as train and as dev",),
    f"{CONLLU} train.conllu --task.field upo --out x": ("'upo'", "nearest: 'upos'"),
    f"{CONLLU} control.conllu --layers 0 --out x": ("no sub-token", "--lost skip"),
    "--task.name conllu --model bert --out x": ("--task.train",),
    f"{TABLE} nosuch.csv --out x": ("no file or folder nosuch.csv",),
    f"{TABLE.replace('label tense', 'label tens')} t.csv --out x": (
        "column of t.csv",
        "nearest: 'tense'",
    ),
    f"{TABLE} constant.csv --out x": ("is constant", "'x'"),
    f"{TABLE} ragged.csv --out x": ("ragged.csv, line 2", "3 columns, expected 2"),
    f"{TABLE} junk.parquet --out x": ("junk.parquet cannot be read",),
    f"{TABLE} t.csv --task.unit word --out x": ("words",),
    f"{TABLE} t.csv --task.limit 0 --out x": ("limit is 0",),
    # folders
    f"{ENGLISH} --out t.csv": ("t.csv is there and is no run", "another --out"),
    f"{ENGLISH} --out other": ("other is there and is no run", "another --out"),
    f"{ENGLISH} --out foreign": ("foreign holds another run", "another --out"),
    f"{ENGLISH} --out finished": ("finished holds another run", "task.field: ['tense']"),
    f"{ENGLISH} --out t.csv/x": ("no folder can be made at t.csv/x", "another --out"),
    f"{ENGLISH} --out /proc/nosuch/x": ("no folder can be made at /proc/nosuch/x",),
    f"{ENGLISH} --out x --store t.csv": ("no folder can be made at t.csv", "another --store"),
    # configuration files
    "--config nosuch.yaml": ("no configuration file nosuch.yaml",),
    "--config": ("--config lacks its value",),
}


def listing(home: Path) -> set[Path]:
    return {path for path in home.rglob("*") if "store" not in path.parts and path.is_file()}


@pytest.mark.parametrize("arguments", PROBE)
def test_bad_input_is_one_message_and_nothing_is_left(home, monkeypatch, arguments):
    monkeypatch.chdir(home)
    before = listing(home)
    rest = QUICK[:3] if "--penalties" in arguments else QUICK
    rest = [*rest[:1], *rest[3:]] if "--draws" in arguments else rest
    done = run("probe", *rest, *arguments.split())
    assert done.code == 2, done
    said = " ".join(done.err.replace("│", " ").split())
    for words in PROBE[arguments]:
        assert words in said
    assert "Traceback" not in said
    assert done.out == ""
    assert listing(home) == before
    assert not (home / "x").exists()


OTHERS = {
    "prob": ("'prob'", "nearest: 'probe'"),
    "--modle": ("'--modle'", "probe, report, roles, tasks, toy, train, verify, wise"),
    "report": ("probes report RUN",),
    "report nosuch": ("no run folder nosuch",),
    "report t.csv": ("no run folder t.csv",),
    "report other": ("other/run.json", "no run"),
    "report finished --uot x": ("'--uot'", "nearest: '--out'"),
    "report finished --out": ("--out lacks its value",),
    "report finished --out nosuch/x.html": ("no folder nosuch",),
    "report finished --out other": ("other is a folder",),
    "verify": ("probes verify STORE",),
    "verify nosuch": ("no activation store: nosuch",),
    "verify finished": ("no activation store: finished",),
    "verify --all": ("'--all'",),
    "tasks nosuch": ("'nosuch'", "conllu, digits, english, glue, images, table"),
    "tasks conllu table": ("one task at a time",),
    "tasks --all": ("'--all'",),
}


@pytest.mark.parametrize("arguments", OTHERS)
def test_the_other_commands_do_the_same(home, monkeypatch, arguments):
    monkeypatch.chdir(home)
    done = run(*arguments.split())
    assert done.code == 2, done
    assert done.err.startswith("probes: ")
    assert len(done.err.splitlines()) == 1
    for words in OTHERS[arguments]:
        assert words in done.err


@pytest.mark.parametrize("name", ["run.json", "results.jsonl", "predictions.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"junk\n", b"\xff\xfe", b"{}\n"])
def test_a_damaged_run_is_not_reported_on(home, tmp_path, name, content):
    folder = shutil.copytree(home / "finished", tmp_path / "run")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    if (name, content) == ("results.jsonl", b""):
        return  # no rows leave gaps, not errors
    done = run("report", folder)
    assert done.code == 2, done
    assert name in done.err
    assert len(done.err.splitlines()) == 1


def test_a_damaged_store_is_found_by_verify_and_refused_by_a_run(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (store,) = (path for path in (home / "stores").iterdir() if path.is_dir())
    folder = shutil.copytree(store, tmp_path / "stores" / store.name)
    shutil.copytree(home / "bert", tmp_path / "bert")
    command = ["probe", "--model", "bert", *FAST, "--layers", "0", "--store", "stores"]
    vectors = folder / "layer-00" / "00000.npy"
    whole = vectors.read_bytes()
    assert run("verify", folder).code == 0
    for damaged in (whole[:-9], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        vectors.write_bytes(damaged)
        done = run("verify", folder)
        assert done.code == 2
        assert "layer-00/00000.npy is damaged; remove it and run again" in done.out
        assert "1 files are damaged or missing" in done.err
    vectors.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    done = run(*command, "--out", "x")
    assert done.code == 2
    assert "00000.npy is damaged; remove it and run again" in done.err
    for damaged in (whole[:-9], b"", None):  # what is cut short, or gone, is made again
        vectors.unlink() if damaged is None else vectors.write_bytes(damaged)
        assert run(*command, "--out", "x").code == 0
        assert vectors.read_bytes() == whole
    record = folder / "shards" / "00000.json"
    kept = record.read_bytes()
    record.unlink()
    done = run("verify", folder)
    assert done.code == 2
    assert "shard 0 of" in done.out
    record.write_bytes(kept)
    for content in (b"", b"{}", b"\xff", (folder / "manifest.json").read_bytes()[:-20]):
        (folder / "manifest.json").write_bytes(content)
        done = run("verify", folder)
        assert done.code == 2
        assert "manifest.json is damaged" in done.err


def test_a_corrected_command_may_name_the_folder_of_the_wrong_one(home, monkeypatch, tmp_path):
    monkeypatch.chdir(home)
    command = ["probe", "--model", "bert", *FAST, "--store", "stores", "--out", tmp_path / "run"]
    assert run(*command, "--layers", "9").code == 2
    assert run(*command, "--layers", "0").code == 0
    (tmp_path / "mine").mkdir()
    assert run(*command[:-1], tmp_path / "mine", "--layers", "9").code == 2
    assert (tmp_path / "mine").is_dir()  # it was there before


def test_models_of_every_family_are_refused_without_their_tokenizer(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for family in ("roberta", "gpt2", "llama", "albert"):
        folder = shutil.copytree(tiny(family), tmp_path / family)
        for path in folder.glob("token*"):
            path.unlink()
        done = run("probe", "--model", family, *FAST, "--out", "x")
        assert done.code == 2, family
        assert "tokenizer" in done.err
