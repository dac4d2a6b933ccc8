"""What decides a vector is in the key of its store, and nothing that is refused is answered."""

import json
import shutil
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import kinds
from probes.doctor import Check, Verdict
from probes.doctor.contract import examine
from probes.doctor.verdict import find
from probes.encoders import TextEncoder
from probes.errors import InputError
from probes.states import extract
from test_encoders import words_of
from zoo import SENTENCES

SMALL = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL |= {"intermediate_size": 64}


def copied(folder: str, to: Path, file: str, **changed) -> str:
    shutil.copytree(folder, to)
    settings = json.loads((to / file).read_text())
    (to / file).write_text(json.dumps(settings | changed))
    return str(to)


def test_another_beginning_token_is_another_key(tiny, tmp_path):
    folder = tiny("gpt2")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    other = tokenizer.convert_ids_to_tokens(5)
    changed = copied(folder, tmp_path / "other", "tokenizer_config.json", bos_token=other)
    one, two = TextEncoder.from_pretrained(folder), TextEncoder.from_pretrained(changed)
    assert one.tokenize(["she"]).ids[0] != two.tokenize(["she"]).ids[0]
    assert one.fingerprint != two.fingerprint


def test_code_that_comes_with_a_model_is_in_the_key(tiny, tmp_path):
    code = """
        import transformers
        class Mine(transformers.BertModel):
            def forward(self, input_ids=None, attention_mask=None, **options):
                output = super().forward(input_ids, attention_mask, **options)
                output.last_hidden_state = output.last_hidden_state * FACTOR
                return output
    """
    found = []
    for name, factor in (("one", 2), ("two", 3)):
        (tmp_path / f"mine_{name}.py").write_text(
            textwrap.dedent(code).replace("FACTOR", str(factor))
        )
        sys.path.insert(0, str(tmp_path))
        try:
            module = __import__(f"mine_{name}")
        finally:
            sys.path.pop(0)
        model = module.Mine.from_pretrained(tiny("bert"), add_pooling_layer=False)
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny("bert"))
        found.append(TextEncoder(model, tokenizer, name="mine").fingerprint["code"])
    assert found[0] != found[1]
    assert all(part.startswith("Mine ") for part in found)
    own = TextEncoder.from_pretrained(tiny("bert")).fingerprint["code"]
    assert own == "transformers.models.bert.modeling_bert.BertModel"


def test_each_setting_of_a_pass_is_another_key(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"), max_tokens=12)
    task = words_of(["she walks"])
    settings = [
        {},
        {"pooling": "first"},
        {"truncation": "window"},
        {"truncation": "window", "stride": 4},
        {"truncation": "truncate"},
        {"deterministic": True},
        {"dtype": "float16"},
    ]
    stores = [extract(task, encoder, tmp_path, **chosen) for chosen in settings]
    assert len({store.layout.digest for store in stores}) == len(settings)


@pytest.mark.parametrize("stride", [0, -5])
def test_a_stride_that_is_none_is_refused_though_a_store_is_there(tiny, tmp_path, stride):
    encoder = TextEncoder.from_pretrained(tiny("bert"), max_tokens=12)
    task = words_of(["she walks"])
    extract(task, encoder, tmp_path, truncation="window")
    with pytest.raises(InputError, match=f"--stride {stride}: expected 1 or more"):
        extract(task, encoder, tmp_path, truncation="window", stride=stride)


def test_the_special_token_answers_no_word_that_is_cut_away(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"), max_tokens=12)
    task = words_of(["dog " * 29 + "dog"])
    cut = extract(task, encoder, tmp_path, pooling="cls", truncation="truncate")
    assert cut.lost.tolist() == list(range(10, 30))
    windowed = extract(task, encoder, tmp_path, pooling="cls", truncation="window")
    assert not len(windowed.lost)
    X = windowed.X(1)
    assert np.array_equal(X[0], X[1])  # of one window
    assert np.isfinite(X).all()


def longrope(tmp_path: Path) -> TextEncoder:
    tokenizer = kinds.train("bpe-fallback", SENTENCES)
    half = 48 // 4 // 2
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=128,
        num_key_value_heads=4,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "short_factor": [1.0] * half,
            "long_factor": [4.0] * half,
            "original_max_position_embeddings": 16,
        },
        **SMALL,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = transformers.LlamaModel(config)
    model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    return TextEncoder.from_pretrained(str(tmp_path / "m"))


def test_frequencies_that_change_with_the_length_do_not_reach_the_neighbours(tmp_path):
    encoder = longrope(tmp_path)
    assert encoder.depends_on_length
    texts = [SENTENCES[2], SENTENCES[4], SENTENCES[5]]
    crowd = extract(words_of(texts), encoder, tmp_path / "crowd", budget=10_000)
    assert crowd.layout.key["batches"] == "one text each"
    at = 0
    for k, text in enumerate(texts):
        alone = extract(words_of([text]), encoder, tmp_path / f"alone-{k}")
        n = alone.layout.n_units
        for layer in encoder.layers:
            assert np.array_equal(crowd.X(layer)[at : at + n], alone.X(layer))
        at += n
    # and it matters: in one batch the short text moves
    together = encoder.hidden_states(texts, ["2"])["2"][0]
    apart = encoder.hidden_states(texts[:1], ["2"])["2"][0]
    assert (together[1 : len(apart)] - apart[1:]).norm() > 1e-3 * apart[1:].norm()


def test_a_block_sparse_model_is_read_alike_at_every_length(tmp_path):
    tokenizer = kinds.train("unigram", SENTENCES)
    config = transformers.BigBirdConfig(
        vocab_size=len(tokenizer), block_size=4, num_random_blocks=1, pad_token_id=1, **SMALL
    )
    transformers.BigBirdModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    encoder = TextEncoder.from_pretrained(str(tmp_path))
    assert encoder.config.attention_type == "original_full"  # which the key then says
    full = transformers.BigBirdModel.from_pretrained(
        tmp_path, attention_type="original_full", add_pooling_layer=False
    ).eval()
    ids, mask = encoder.pad([" ".join(SENTENCES[:5])])
    assert ids.shape[1] > 2 * config.block_size * 5  # long enough for blocks
    with torch.no_grad():
        expected = full(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.equal(encoder.states_of(ids, mask, ["2"])["2"], expected)


@pytest.mark.parametrize("name", ["Data2VecText", "RobertaPreLayerNorm", "XLMRobertaXL"])
def test_rows_of_positions_that_padding_takes_are_no_room_for_text(name, tmp_path):
    tokenizer = kinds.train("byte-bpe", SENTENCES)
    config = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer), max_position_embeddings=40, pad_token_id=1, **SMALL
    )
    model = getattr(transformers, f"{name}Model")(config, add_pooling_layer=False)
    encoder = TextEncoder(model, tokenizer, name=name)
    assert encoder.max_tokens == 38
    words = ["dog"] * 60
    while encoder.tokenize([" ".join(words)]).lengths[0] > 38:
        words.pop()
    assert torch.isfinite(encoder.hidden_states([" ".join(words)], ["2"])["2"]).all()


def test_a_pad_token_that_the_model_has_not_is_not_used(tiny):
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny("gpt2"))
    model = transformers.AutoModel.from_pretrained(tiny("gpt2"))
    expected = TextEncoder(model, tokenizer, name="x").hidden_states(SENTENCES[:2], ["final"])
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    fresh = transformers.AutoModel.from_pretrained(tiny("gpt2"))
    assert tokenizer.pad_token_id >= fresh.wte.num_embeddings
    encoder = TextEncoder(fresh, tokenizer, name="x")
    assert encoder.pad_id == 0
    mask = encoder.pad(SENTENCES[:2])[1].bool()
    found = encoder.hidden_states(SENTENCES[:2], ["final"])["final"]
    assert torch.allclose(found[mask], expected["final"][mask], atol=1e-6)


def test_a_verdict_of_short_texts_is_not_one_of_long_texts(tiny, tmp_path):
    def load(dtype, attention=None):
        return TextEncoder.from_pretrained(
            tiny("bert"), dtype=dtype, attention=attention, max_tokens=4
        )

    hollow = examine(load)
    assert next(check for check in hollow.checks if check.name == "texts").outcome == "warn"
    hollow.save(tmp_path)
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    assert find(tmp_path, encoder.fingerprint, encoder.max_tokens) is None
    assert find(tmp_path, encoder.fingerprint, 4)["verdict"] == "warn"


def test_a_verdict_with_a_file_leaves_that_on_the_model_as_it_is(tmp_path):
    model = Check("batch = single", "fail", "differs", float("inf"), "mend it")
    file = Check("length of texts", "warn", "long", 0.1, "window", of_file=True)
    Verdict("m", {"a": "b"}, (model, file), "mine.txt").save(tmp_path)
    found = find(tmp_path, {"a": "b"})
    assert (found["failed"], found["warned"]) == (["batch = single"], [])
    (kept,) = (path for path in (tmp_path / "doctor").glob("*-*.json"))
    assert json.loads(kept.read_text())["checks"][0]["value"] is None  # JSON has no infinity


def test_the_random_model_is_read_as_the_pretrained_one_is(tiny, tmp_path):
    quiet = copied(tiny("bert"), tmp_path / "quiet", "config.json", initializer_range=1e-3)
    assert not TextEncoder.from_pretrained(quiet).is_causal
    assert not TextEncoder.from_pretrained(quiet, random_weights=0).is_causal
    told = TextEncoder.from_pretrained(quiet, random_weights=0, is_causal=True)
    assert told.is_causal
