"""The contract of correctness catches what it is there for: each fault is planted, and found."""

import functools
import json

import numpy as np
import pytest
import torch

import kinds
import zoo
from commands import run
from probes.doctor import Check, Verdict, examine, measure, numbers, padding, units
from probes.doctor.text import align_words, alignment
from probes.doctor.verdict import find
from probes.encoders import TextEncoder
from probes.encoders.offsets import Aligner
from probes.encoders.pooling import Segments
from probes.errors import InputError
from probes.states import extract
from probes.task import sentence_task
from zoo import SENTENCES

pytestmark = pytest.mark.usefixtures("one_thread")
TEXTS = SENTENCES[:4]
SHORT = ("--draws", "1", "--no-random-model", "--truncation", "truncate", "--lost", "skip")


@pytest.fixture
def patient(tiny):
    """A fresh encoder, its texts alone, and how to load it again."""

    def admit(family="bert"):
        load = functools.partial(_load, tiny(family))
        encoder = load("float32")
        return encoder, measure.alone(encoder, TEXTS), load

    return admit


def _load(folder, dtype, attention=None):
    return TextEncoder.from_pretrained(folder, dtype=dtype, attention=attention)


def test_a_sound_model_passes_every_clause(tiny):
    verdict = examine(functools.partial(_load, tiny("bert")))
    assert [check for check in verdict.checks if check.outcome == "fail"] == []
    assert verdict.outcome in ("pass", "warn")
    names = [check.name for check in verdict.checks]
    assert len(names) == len(set(names)) >= 13


def test_positions_of_right_padding_on_left_padded_rows_are_caught(patient):
    encoder, singles, _ = patient("gpt2")
    assert padding.left_padding(encoder, TEXTS, singles).outcome == "pass"
    sound = encoder.inputs

    class Faulty:
        accepted, decodes = sound.accepted, False

        def __call__(self, ids, mask, **extra):
            if "position_ids" in extra:
                extra["position_ids"] = torch.arange(ids.shape[1]).expand(ids.shape)
            return sound(ids, mask, **extra)

    encoder.inputs = Faulty()
    check = padding.left_padding(encoder, TEXTS, singles)
    assert check.outcome == "warn"
    assert check.found.startswith("right only")
    assert check.value > 0.1


@pytest.mark.parametrize("fault", kinds.FAULTS)
@pytest.mark.parametrize("kind", ["wordpiece", "byte-bpe-bare", "unigram", "bpe-fallback"])
def test_false_offsets_are_caught_and_words_still_find_their_sub_tokens(kind, fault):
    sound = kinds.train(kind, list(SENTENCES) * 3)
    broken = kinds.faulty(sound, fault)
    assert Aligner(sound).method == "offsets"
    assert Aligner(broken).method == "characters"
    answers = []
    for tokenizer in (sound, broken):
        encoder = _with_tokenizer(tokenizer)
        spans = [(m.start(), m.end()) for text in SENTENCES for m in _words(text)]
        index = np.repeat(np.arange(len(SENTENCES)), [len(_words(t)) for t in SENTENCES])
        answers.append(encoder.tokenize(SENTENCES).cover(index, np.array(spans)).tolist())
    assert answers[0] == answers[1]


def _words(text):
    import re

    return list(re.finditer(r"\S+", text))


def _with_tokenizer(tokenizer):
    import transformers

    config = transformers.BertConfig(
        vocab_size=max(tokenizer.get_vocab().values()) + 1,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=4096,
    )
    model = transformers.BertModel(config, add_pooling_layer=False)
    return TextEncoder(model, tokenizer, name="tiny")


def test_a_mean_over_padding_is_caught(patient, monkeypatch):
    encoder, *_ = patient()
    assert units.pooled(encoder, TEXTS).outcome == "pass"
    monkeypatch.setattr("probes.encoders.text.pool", _over_whole_rows)
    check = units.pooled(encoder, TEXTS)
    assert check.outcome == "fail"
    assert check.value > 0.01


def _over_whole_rows(hidden, segments: Segments, pooling):
    first = segments.positions[segments.lengths.cumsum(0) - segments.lengths]
    return hidden.mean(dim=1)[first // hidden.shape[1]]


def test_layers_that_are_off_by_one_are_caught(patient):
    encoder, singles, _ = patient()
    assert numbers.plain_forward(encoder, TEXTS, singles).outcome == "pass"
    shifted = [
        {layer: single[str(min(int(layer) + 1, encoder.n_layers))] for layer in encoder.layers}
        for single in singles
    ]
    check = numbers.plain_forward(encoder, TEXTS, shifted)
    assert check.outcome == "fail"
    assert check.value > 0.01
    assert numbers.run_from_own_states(encoder, TEXTS[0], shifted[0]).outcome == "fail"


def test_nan_in_one_row_is_caught_and_located(patient, tmp_path):
    encoder, singles, load = patient()

    def spoil(module, args, output):
        state = output if isinstance(output, torch.Tensor) else output[0]
        if len(state) > 1:
            state[1, 0] = torch.nan

    handle = encoder.blocks()[""][1].register_forward_hook(spoil)
    check = numbers.batch_is_single(encoder, TEXTS, singles, load)
    assert (check.outcome, check.value) == ("fail", float("inf"))
    n = len(TEXTS)
    task = sentence_task(TEXTS, ["x"] * n, splits=["train"] * n, name="s", labelling="x")
    with pytest.raises(InputError, match=r"layer [23], text \d .*NaN"):
        extract(task, encoder, tmp_path, pooling="mean", budget=10_000)
    handle.remove()
    ill = numbers.finite([{"0": torch.tensor([[[1.0], [float("inf")]]])}], ["she walks"])
    assert ill.outcome == "fail"
    assert "layer 0, token 1 of 'she walks'" in ill.found


def test_a_model_that_gives_row_0_alone_is_caught(patient, tiny):
    encoder, singles, load = patient()

    def first_row(module, args, output):
        return output[:1] if isinstance(output, torch.Tensor) else (output[0][:1], *output[1:])

    handle = encoder.blocks()[""][-1].register_forward_hook(first_row, prepend=True)
    check = numbers.batch_is_single(encoder, TEXTS, singles, load)
    assert (check.outcome, check.value) == ("fail", float("inf"))
    with pytest.raises(InputError, match=r"layer 3, expected as .* was \(1, 4, 48\)"):
        TextEncoder(encoder.model, encoder.tokenizer, name="row 0")
    handle.remove()


def test_an_attention_that_leaves_something_out_is_caught(patient):
    encoder, singles, load = patient("llama")
    assert numbers.attention_is_eager(encoder, TEXTS, singles, load).outcome == "pass"

    def sharper(dtype, attention=None):
        fresh = load(dtype, attention)
        for block in fresh.blocks()[""]:
            block.self_attn.scaling *= 1.01
        return fresh

    check = numbers.attention_is_eager(encoder, TEXTS, singles, sharper)
    assert check.outcome == "fail"
    assert check.advice == "choose --attention eager"


def test_a_model_that_caps_its_attention_is_read_with_one_that_does(tmp_path):
    zoo.save("gemma2", tmp_path / "gemma2")
    folder = str(tmp_path / "gemma2")
    assert TextEncoder.from_pretrained(folder).fingerprint["attention"] == "eager"
    with pytest.raises(InputError, match="caps its attention's logits"):
        TextEncoder.from_pretrained(folder, attention="sdpa")


def test_float64_tells_rounding_from_a_leak(patient):
    encoder, singles, load = patient()
    check = numbers.batch_is_single(encoder, TEXTS, singles, load)
    assert check.outcome == "pass"

    def leak(module, args, output):
        state = output if isinstance(output, torch.Tensor) else output[0]
        state += 1e-3 * state[..., 0].sum()

    def leaking(dtype, attention=None):
        fresh = load(dtype, attention)
        fresh.blocks()[""][0].register_forward_hook(leak)
        return fresh

    encoder = leaking("float32")
    singles = measure.alone(encoder, TEXTS)
    assert numbers.batch_is_single(encoder, TEXTS, singles, leaking).outcome == "fail"


def test_great_activations_are_rounding_and_pass(patient):
    encoder, _, load = patient("llama")

    def grown(dtype, attention=None):
        fresh = load(dtype, attention)
        with torch.no_grad():  # a cancelling pair of great terms, as massive activations make them
            for block in fresh.blocks()[""]:
                block.mlp.down_proj.weight *= 3e4
        return fresh

    encoder = grown("float32")
    check = numbers.batch_is_single(encoder, TEXTS, measure.alone(encoder, TEXTS), grown)
    assert check.outcome == "pass", check


def test_an_attention_sink_without_a_special_token_is_a_warning(patient):
    encoder, singles, _ = patient("gpt2")
    assert numbers.position_0(encoder, singles).outcome == "pass"
    for single in singles:
        factor = torch.ones(single["2"].shape[1], 1)
        factor[0] = 1000
        single["2"] = single["2"] * factor
    assert numbers.position_0(encoder, singles).outcome == "pass"  # its own token stands there
    encoder.tokens.beginning = "none"
    check = numbers.position_0(encoder, singles)
    assert check.outcome == "warn"
    assert check.value > 10


def test_words_without_sub_tokens_are_named(tiny):
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    seen = align_words(encoder, ["she walks", "a \u200b\u200d dog"])
    assert [text for text, _ in seen.lost] == [1]
    check = alignment(encoder, ["she walks", "a \u200b\u200d dog"], "mine", own=True)[0]
    assert check.outcome == "warn"
    assert "--lost skip" in check.advice


def test_a_tokenizer_that_spells_other_words_fails(tiny, monkeypatch):
    encoder = TextEncoder.from_pretrained(tiny("roberta"))
    monkeypatch.setattr(
        "probes.encoders.offsets.Aligner.spells", lambda self, ids, text: text.startswith("a")
    )
    assert alignment(encoder, SENTENCES, "mine", own=True)[0].outcome == "fail"


def test_the_command_keeps_a_verdict_that_goes_with_the_run(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, file = tiny("bert"), tmp_path / "mine.txt"
    file.write_text("she walks\nthe old sailors\n\n" + "dog " * 80 + "\n", encoding="utf-8")
    probe = ["probe", "--model", model, "--task.name", "english", "--task.sentences", "120"]
    probe += ["--task.field", "tense", *SHORT, "--out", "runs/a"]
    before = run(*probe)
    assert f"not examined as it is used here; probes doctor {model}" in before.err
    done = run("doctor", model, "--store", "runs/store", "--file", str(file))
    assert done.code == 0
    assert "length of texts" in done.out
    assert "verdict: warn" in done.out
    after = run(*probe[:-1], "runs/b")
    assert "not examined" not in after.err
    about = json.loads((tmp_path / "runs/b/run.json").read_text())
    assert about["doctor"]["verdict"] == "pass"
    assert json.loads((tmp_path / "runs/a/run.json").read_text())["doctor"] is None
    printed = json.loads(run("doctor", model, "--json", "--store", "elsewhere").out)
    assert printed["verdict"] == "pass"
    assert {check["outcome"] for check in printed["checks"]} == {"pass"}


def test_a_failed_examination_is_said_by_probe(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    bad = Check("batch = single", "fail", "differs", 0.3, "mend it")
    Verdict("m", encoder.fingerprint, (bad,), "", encoder.max_tokens).save("runs/store")
    assert find("runs/store", encoder.fingerprint, encoder.max_tokens)["failed"] == [
        "batch = single"
    ]
    probe = ["probe", "--model", tiny("bert"), "--task.name", "english", "--task.sentences", "120"]
    probe += ["--task.field", "tense", *SHORT, "--out", "runs/a"]
    assert "failed its examination (batch = single)" in run(*probe).err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["doctor"], "the model comes first"),
        (["doctor", "no/such"], "no model 'no/such'"),
        (["doctor", "MODEL", "--file", "nothing.txt"], "there is no file nothing.txt"),
        (["doctor", "MODEL", "--file", "."], ". is a folder; give a text file"),
        (["doctor", "MODEL", "--fil", "x"], "nearest: '--file'"),
        (["doctor", "MODEL", "--part", "decoder"], "no encoder-decoder"),
    ],
)
def test_bad_input_is_one_message(tiny, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = run(*[tiny("bert") if a == "MODEL" else a for a in arguments])
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_zoo_members_that_pad_right_only_say_so(tmp_path):
    zoo.save("bart", tmp_path / "bart")
    encoder = TextEncoder.from_pretrained(str(tmp_path / "bart"))
    check = padding.left_padding(encoder, TEXTS, measure.alone(encoder, TEXTS))
    assert check.found.startswith("right only")
    assert "no position ids" in check.found
