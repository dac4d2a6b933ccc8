"""The test material itself: models of every family, tokenizers of every kind, hard strings."""

import itertools
import re
from pathlib import Path

import pytest
import torch
import transformers

import kinds
import zoo
from conftest import ROOT

STRINGS = ROOT / "probes" / "doctor" / "strings.tsv"
ESCAPE = re.compile(r"\\u([0-9A-F]{4})")
PYTHON = ("byt5", "canine")


def rows() -> list[list[str]]:
    lines = STRINGS.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    return [line.split("\t") for line in lines if not line.startswith("#")]


def hard_strings() -> list[str]:
    return [ESCAPE.sub(lambda m: chr(int(m[1], 16)), row[2]) for row in rows()]


@pytest.fixture(scope="module")
def trained():
    texts = [*zoo.SENTENCES, *hard_strings()[::2]]
    return {kind: kinds.train(kind, texts) for kind in kinds.KINDS}


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_a_model_of_each_family_loads_and_its_layers_differ(tiny, family):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny(family))
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = transformers.AutoModel.from_pretrained(tiny(family)).eval()
    batch = tokenizer(list(zoo.SENTENCES[:3]), padding=True, truncation=False, return_tensors="pt")
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    with torch.no_grad():
        out = model(**inputs, output_hidden_states=True)
    states = [*out.hidden_states[:-1], out.last_hidden_state]
    assert len(states) >= 4 and all(torch.isfinite(H).all() for H in states)
    real = batch["attention_mask"].bool()
    for H in states:
        X = H[real].double()
        assert torch.unique(X.round(decimals=6), dim=0).shape[0] > len(X) / 3  # inputs differ
    for below, above in itertools.pairwise(states):
        if below.shape == above.shape:  # OPT-350m projects its last one
            assert (above - below)[real].norm() > 0.1 * below[real].norm()


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "llama"])
def test_a_family_is_the_same_each_time_byte_for_byte(tiny, tmp_path, family):
    zoo.save(family, tmp_path, "left")
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / name).read_bytes() == Path(tiny(family, "left"), name).read_bytes()


def test_each_kind_is_that_of_a_family_or_named_here():
    assert {*zoo.KIND.values()} | {"wordpiece-cased", "character", *PYTHON} == {*kinds.KINDS}


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_each_kind_encodes_every_hard_string(trained, kind):
    tokenizer = trained[kind]
    assert tokenizer.is_fast == (kind not in PYTHON)
    strings = hard_strings()
    rows = tokenizer(strings)["input_ids"]
    assert len(rows) == len(strings)
    assert any(rows) and max(map(max, filter(None, rows))) < len(tokenizer)


@pytest.mark.parametrize("kind", [kind for kind in kinds.KINDS if kind not in PYTHON])
def test_a_kind_survives_its_own_folder(trained, tmp_path, kind):
    trained[kind].save_pretrained(tmp_path)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)
    strings = hard_strings()
    for answer in ("input_ids", "offset_mapping"):
        before, after = (t(strings, return_offsets_mapping=True) for t in (trained[kind], again))
        assert before[answer] == after[answer]


@pytest.mark.parametrize("fault", kinds.FAULTS)
def test_a_fault_spoils_the_offsets_and_nothing_else(trained, fault):
    sound = trained["wordpiece"]
    options = {"return_offsets_mapping": True, "return_special_tokens_mask": True}
    right, wrong = (t(["she walks"], **options) for t in (sound, kinds.faulty(sound, fault)))
    assert right["input_ids"] == wrong["input_ids"]
    change = kinds.FAULTS[fault]
    inner = [change(*span) for span in right["offset_mapping"][0][1:-1]]
    assert wrong["offset_mapping"] == [[(0, 0), *inner, (0, 0)]] != right["offset_mapping"]


def test_the_hard_strings_are_many_and_each_is_new():
    assert all(len(row) == 3 and all(row) for row in rows())
    strings = hard_strings()
    assert len(strings) == len(set(strings)) >= 320
    assert len({row[0] for row in rows()}) >= 32
    assert "".join(strings).encode("utf-8").decode("utf-8") == "".join(strings)
