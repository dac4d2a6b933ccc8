"""What README says is run as it stands there, on tiny models of the names that it uses."""

import re
import shlex
import shutil

import pytest
from PIL import Image

import image_zoo
import towers
import zoo
from conftest import ROOT
from probes.cli import main

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAIRS = ROOT / "tasks" / "analogies.tsv"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line for language, block in BLOCKS if language == "bash" for line in block.strip().splitlines()
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder in which README's names exist: models, data, configurations."""
    folder = tmp_path_factory.mktemp("home")
    zoo.save("bert", folder / "bert-base-uncased", n_layers=6, positions=512)
    (folder / "models").mkdir()
    shutil.copytree(folder / "bert-base-uncased", folder / "models" / "all-MiniLM-L6-v2")
    image_zoo.save("vit", folder / "google" / "vit-base-patch16-224-in21k")
    towers.save("clip", folder / "openai" / "clip-vit-base-patch32")
    shutil.copy(ROOT / "tests" / "image_zoo.py", folder / "lite0.py")
    for k, image in enumerate(image_zoo.noise(40)):
        (folder / "photos" / f"class{k % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "photos" / f"class{k % 2}" / f"{k}.png")
    (folder / "configs").mkdir()
    quick = {
        "demo": "draws: 1\npenalties: [1e-2]\n",
        "roles-demo": "draws: 1\npenalties: [1e-2]\n",
        "roles-demo-fit": "layers: 0-1\n",
        "tpdn-digits-demo": "most_epochs: 2\n",
    }
    for name, more in quick.items():
        text = (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
        text = re.sub(r"sentences: \d+", "sentences: 150", text)
        text = re.sub(r"sequences: \d+", "sequences: 1200", text)
        text = re.sub(r"(substitutions|edits): \d+", r"\1: 5", text)
        (folder / "configs" / f"{name}.yaml").write_text(text + more, encoding="utf-8")
    for split in ("train", "dev", "test"):
        lines = []
        for k in range(12):
            lines += [f"# sent_id = {split}-{k}", f"1\tdogs{k}\t_\tNOUN\t_\t_\t2\tnsubj\t_\t_"]
            lines += ["2\tbark\t_\tVERB\t_\t_\t0\troot\t_\t_", ""]
        (folder / f"{split}.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pairs = [line.split("\t")[2:4] for line in PAIRS.read_text("utf-8").splitlines()[1:]]
    asked = list(dict.fromkeys(word for pair in pairs for word in pair))
    some = asked[:400]  # of six relations
    lines = [f"{word} {k % 7} {k % 11} {k % 13 - 6}" for k, word in enumerate(some, 1)]
    (folder / "glove.6B.50d.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "words.txt").write_text("\n".join(asked[:300]) + "\n", encoding="utf-8")
    google = "\n".join([": some", f"{' '.join(pairs[0])} {' '.join(pairs[1])}"])
    (folder / "questions-words.txt").write_text(google + "\n", encoding="utf-8")
    rows = [f"she {w} {k},{t}" for k in range(20) for w, t in (("ran", "past"), ("runs", "pres"))]
    (folder / "sentences.csv").write_text("\n".join(["text,tense", *rows]), encoding="utf-8")
    return folder


def test_readme_has_commands_and_code():
    assert len(COMMANDS) >= 7
    assert any(language == "python" for language, _ in BLOCKS)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_readme_runs(home, monkeypatch, capsys, line):
    monkeypatch.chdir(home)
    words = shlex.split(line)
    launched = "-m" in words and words.index("-m")
    if launched:  # the launchers themselves: tests/test_store.py
        words = words[launched + 1 :]
    assert words[0] == "probes"
    try:
        main(words[1:])
    except SystemExit as stop:
        assert stop.code in (None, 0), capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize("block", [block for language, block in BLOCKS if language == "python"])
def test_the_code_of_readme_runs(home, monkeypatch, capsys, block):
    monkeypatch.chdir(home)
    exec(compile(block, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.split()) == 3  # numbers, as the comments say
