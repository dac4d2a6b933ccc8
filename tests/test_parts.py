"""Decoders, first positions, windows, and what is said of losses."""

import json

import numpy as np
import pytest
import torch
import transformers

import zoo
from commands import QUICK, run
from made import thirds, words
from probes.diagnostic.questions import ask
from probes.encoders import TextEncoder, parse_layers
from probes.encoders.align import place, windows
from probes.errors import InputError
from probes.results import Results
from probes.states import extract
from probes.task import sentence_task
from test_encoders import without_bos, words_of
from zoo import SENTENCES

TEXTS = SENTENCES[:4]


@pytest.fixture(scope="module")
def member(tmp_path_factory):
    made = {}

    def build(family):
        if family not in made:
            made[family] = tmp_path_factory.mktemp(family)
            zoo.save(family, made[family])
        return str(made[family])

    return build


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_both_halves_give_what_each_gives_alone(member, tmp_path, family):
    encoders = {
        part: TextEncoder.from_pretrained(member(family), part=part)
        for part in ("encoder", "decoder", "both")
    }
    task = words_of(TEXTS)
    X = {}
    for part, encoder in encoders.items():
        store = extract(task, encoder, tmp_path, pooling="mean")
        X[part] = {layer: store.X(layer) for layer in encoder.layers}
    assert set(X["both"]) == {f"{p}.{k}" for p in ("encoder", "decoder") for k in X[p]}
    for part in ("encoder", "decoder"):
        for layer, expected in X[part].items():
            error = np.linalg.norm(X["both"][f"{part}.{layer}"] - expected, axis=1)
            assert (error <= 1e-5 * np.linalg.norm(expected, axis=1)).all()


def test_a_decoder_reads_each_word_after_its_start_token(member, tmp_path):
    encoder = TextEncoder.from_pretrained(member("t5"), part="decoder")
    X = extract(words_of(["she walks"]), encoder, tmp_path, pooling="last").X("2")
    pieces = encoder.tokenize(["she walks"])
    covered = pieces.cover(np.array([0, 0]), np.array([[0, 3], [4, 9]]))
    model = encoder.model
    ids = torch.from_numpy(pieces.ids)[None]
    start = torch.tensor([[model.config.decoder_start_token_id]])
    with torch.no_grad():
        plain = model(
            input_ids=ids, decoder_input_ids=torch.cat([start, ids], 1), output_hidden_states=True
        ).decoder_hidden_states[2][0]
    for row, (_, end) in enumerate(covered.tolist()):
        at = int(pieces.content[end - 1]) + 1
        assert np.allclose(X[row], plain[at].numpy(), atol=1e-5)


def test_layers_of_both_halves_are_chosen_by_name():
    names = [f"{p}.{k}" for p in ("encoder", "decoder") for k in (0, 1, 2, "final")]
    assert parse_layers("1", names) == ("encoder.1", "decoder.1")
    assert parse_layers("decoder.0-1,encoder.final", names) == (
        "encoder.final",
        "decoder.0",
        "decoder.1",
    )
    assert parse_layers("all", names) == tuple(names)
    for spec in ("encoder.3", "middle.1", "4"):
        with pytest.raises(InputError, match=r"encoder\.0-2, encoder\.final, decoder\.0-2"):
            parse_layers(spec, names)


def test_the_command_probes_both_halves(member, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(
        "probe",
        "--model",
        member("bart"),
        "--part",
        "both",
        "--task.name",
        "english",
        "--task.field",
        "tense",
        "--task.sentences",
        "200",
        "--truncation",
        "truncate",
        "--layers",
        "0-1",
        *QUICK,
        "--out",
        "runs/a",
    )
    assert done.code == 0, done.err
    rows = Results.load(tmp_path / "runs/a/results.jsonl").where(method="probe", metric="accuracy")
    assert {row.layer for row in rows} == {"encoder.0", "encoder.1", "decoder.0", "decoder.1"}
    assert {row.n_layers for row in rows} == {3}
    lines = [line.split()[0] for line in done.out.splitlines()]
    order = [name for name in lines if name.startswith(("encoder.", "decoder."))]
    assert order == ["encoder.0", "encoder.1", "decoder.0", "decoder.1"]


def test_a_part_of_a_model_with_one_is_refused(tiny):
    with pytest.raises(InputError, match="no encoder-decoder"):
        TextEncoder.from_pretrained(tiny("bert"), part="decoder")


def test_states_that_are_put_in_decide_the_output(tiny):
    encoder = TextEncoder.from_pretrained(tiny("gpt2"))
    H = encoder.hidden_states(TEXTS, encoder.layers)
    changed = encoder.run_from("1", H["1"] + 1, TEXTS)
    assert not torch.allclose(changed, H["final"])
    swapped = encoder.run_from("2", H["2"].flip(0), TEXTS)
    assert torch.isfinite(swapped).all()
    with pytest.raises(InputError, match="states of shape"):
        encoder.run_from("1", H["1"][:1], TEXTS)
    with pytest.raises(InputError, match="unknown layer '9'"):
        encoder.run_from("9", H["1"], TEXTS)


def test_the_state_of_an_encoder_is_put_before_its_decoder(member):
    encoder = TextEncoder.from_pretrained(member("t5"), part="both")
    H = encoder.hidden_states(TEXTS, encoder.layers)
    own = encoder.run_from("encoder.final", H["encoder.final"], TEXTS)
    assert torch.equal(own, H["decoder.final"])
    other = encoder.run_from("encoder.final", -H["encoder.final"], TEXTS)
    assert not torch.allclose(other, own)


def test_causal_models_are_given_their_beginning_token(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("gpt2"))
    assert encoder.tokens.beginning == "prepended"
    assert encoder.tokenize(["she walks"]).ids[0] == encoder.tokenizer.bos_token_id
    assert TextEncoder.from_pretrained(tiny("llama")).tokens.beginning == "by the tokenizer"
    bare = TextEncoder.from_pretrained(without_bos(tiny("gpt2"), tmp_path / "bare"))
    assert bare.tokens.beginning == "none"


def test_position_0_stays_out_of_sentence_means_where_the_text_stands_there(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(without_bos(tiny("gpt2"), tmp_path / "bare"))
    n = len(TEXTS)
    task = sentence_task(TEXTS, ["x"] * n, splits=["train"] * n, name="s", labelling="x")
    X = extract(task, encoder, tmp_path / "s", pooling="mean").X("2")
    whole = words_of(TEXTS)
    first = extract(whole, encoder, tmp_path / "w", pooling="first").X("2")
    H = [encoder.hidden_states([text], ["2"])["2"][0] for text in TEXTS]
    for row, states in enumerate(H):
        assert np.allclose(X[row], states[1:].mean(0).numpy(), atol=1e-5)
    assert np.allclose(first[0], H[0][0].numpy(), atol=1e-5)  # a word keeps its own
    one = sentence_task(["a"], ["x"], splits=["train"], name="s", labelling="x")
    assert np.isfinite(extract(one, encoder, tmp_path / "one", pooling="mean").X("2")).all()


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_one_text_a_batch_gives_the_same_bits_in_any_company(tiny, tmp_path, family):
    encoder = TextEncoder.from_pretrained(tiny(family))
    few = extract(words_of(TEXTS[:2]), encoder, tmp_path / "few", deterministic=True)
    many = extract(
        words_of([*TEXTS[:2], *SENTENCES[4:]]), encoder, tmp_path / "many", deterministic=True
    )
    n = few.layout.n_units
    for layer in encoder.layers:
        assert np.array_equal(few.X(layer), many.X(layer)[:n])
    assert few.layout.key["batches"] == "one text each"


@pytest.mark.parametrize("stride", [1, 3, 7])
def test_windows_advance_by_the_stride_and_cover_all(stride):
    cuts = windows(32, 30, 10, "window", stride)
    assert {b - a for a, b in np.diff([a for a, _ in cuts])[:-1][:, None].repeat(2, 1)} <= {0}
    assert set(np.diff([a for a, _ in cuts])[:-1].tolist()) <= {stride}
    assert {t for a, b in cuts for t in range(a, b)} == set(range(30))
    with pytest.raises(InputError, match=r"--stride 9: .* expected 1 to 7"):
        windows(32, 30, 10, "window", 9)


def test_context_of_a_causal_model_is_what_stands_before():
    cuts = [(0, 8), (4, 12)]
    assert place(cuts, 7, 8)[0].tolist() == [1]
    assert place(cuts, 7, 8, is_causal=True)[0].tolist() == [0]
    assert place(cuts, 5, 6, is_causal=True)[0].tolist() == [0]


def test_a_stride_without_windows_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(
        "probe",
        "--model",
        tiny("bert"),
        "--task.name",
        "english",
        "--stride",
        "4",
        "--out",
        "runs/a",
    )
    assert done.code == 2
    assert "choose --truncation window" in done.err


def test_every_loss_has_its_reason():
    forms = ["a"] * 30
    task = words(["x", "y"] * 15, thirds(30), forms)
    dev = int(np.flatnonzero(task.splits == "dev")[0])
    lost, cut = np.array([0, 1, dev]), np.array([1, 2])
    questions = ask(task, lost, "wrong", cut)
    assert questions.n_lost == {"train": 2, "dev": 1, "test": 0}
    assert questions.why_lost == {
        "train": {"no sub-token": 1, "truncated": 1},
        "dev": {"no sub-token": 1},
        "test": {},
    }


def test_first_words_are_reported_apart_and_losses_with_their_reasons(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(
        "probe",
        "--model",
        tiny("gpt2"),
        "--task.name",
        "english",
        "--task.field",
        "pos",
        "--task.sentences",
        "200",
        "--truncation",
        "truncate",
        "--max-tokens",
        "20",
        "--layers",
        "1",
        *QUICK,
        "--out",
        "runs/a",
    )
    assert done.code == 0, done.err
    rows = Results.load(tmp_path / "runs/a/results.jsonl")
    first = rows.one(method="probe", metric="accuracy", split="test/first")
    test = rows.one(method="probe", metric="accuracy", split="test")
    predictions = __import__("pandas").read_parquet(tmp_path / "runs/a/predictions.parquet")
    shown = predictions[(predictions.split == "test")]
    begins = shown.groupby("sentence").head(1)
    assert first.n == len(begins) < test.n
    assert first.value == pytest.approx((begins.gold == begins.predicted).mean())
    assert json.loads(test.why_lost) == {"truncated": test.n_lost}
    assert test.n == test.n_asked - test.n_lost
    assert "Words that texts begin with" in (tmp_path / "runs/a/report.html").read_text()


def test_a_tokenizer_without_offsets_serves_a_model_from_its_folder(tmp_path):
    config = transformers.T5Config(
        vocab_size=384, d_model=48, d_kv=12, d_ff=64, num_layers=2, num_heads=4
    )
    transformers.T5EncoderModel(config).save_pretrained(tmp_path / "byt5")
    transformers.ByT5Tokenizer().save_pretrained(tmp_path / "byt5")
    encoder = TextEncoder.from_pretrained(str(tmp_path / "byt5"))
    assert encoder.tokens.aligner.method == "characters"
    text = "naïve 日本 ok"
    X = extract(words_of([text]), encoder, tmp_path / "s", pooling="mean").X("1")
    states = encoder.hidden_states([text], ["1"])["1"][0]
    at = 0
    for row, word in enumerate(text.split()):
        n = len(word.encode())
        bytes_of = [at - 1, *range(at, at + n)] if row else list(range(at, at + n))
        # a space is a token of its own, and begins the word after it
        assert np.allclose(X[row], states[bytes_of].mean(0).numpy(), atol=1e-5)
        at += n + 1


def test_a_model_whose_layers_shorten_the_text_is_refused(tmp_path):
    config = transformers.CanineConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    with pytest.raises(InputError, match="CanineModel states no vocabulary"):
        TextEncoder(transformers.CanineModel(config), transformers.CanineTokenizer(), name="canine")
