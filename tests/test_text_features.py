"""Text features are the encoder's vectors, and may be copied, saved and trained."""

import pytest
import torch

import zoo
from probes.encoders import TextEncoder
from probes.encoders.features import load_features
from probes.encoders.text_features import TextFeatures
from probes.errors import InputError
from probes.states import extract
from probes.task import sentence_task

TEXTS = list(zoo.SENTENCES[:5])
CASES = [
    ("bert", "cls"),
    ("bert", "mean"),
    ("roberta", None),
    ("albert", "mean"),
    ("deberta-v2", "mean"),
    ("gpt2", None),
    ("gpt2", "mean"),
    ("opt", "last"),
    ("llama", "mean"),
    ("t5", "mean"),
    ("bart", "last"),
    ("modernbert", "cls"),
]


def state(features):
    return {name: tensor.clone() for name, tensor in features.module.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("family", "pooling"), CASES)
def test_features_are_the_encoders_vectors_at_its_last_layer(tiny, tmp_path, family, pooling):
    features = TextFeatures.from_pretrained(tiny(family), pooling=pooling)
    encoder = TextEncoder.from_pretrained(tiny(family))
    task = sentence_task(
        TEXTS, ["a"] * 5, splits=["test"] * 5, name="texts", labelling="none", title="texts"
    )
    last = encoder.layers[-1]
    store = extract(task, encoder, str(tmp_path), layers=(last,), pooling=pooling)
    expected = torch.from_numpy(store.X(last))
    with torch.inference_mode():
        found = features(features.collate(TEXTS))
    assert features.width == expected.shape[1]
    assert (found - expected).norm() <= 1e-5 * expected.norm()


def test_a_text_has_the_same_feature_alone_and_in_company(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    with torch.inference_mode():
        together = features(features.collate(TEXTS))
        alone = torch.cat([features(features.collate([text])) for text in TEXTS])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "gpt2", "opt", "t5", "deberta-v2", "modernbert"])
def test_each_weight_is_in_one_part_from_the_embeddings_to_the_final_norm(tiny, family):
    features = TextFeatures.from_pretrained(tiny(family))
    blocks = features.blocks()
    ids = [[id(p) for p in block.parameters()] for block in blocks]
    n_blocks = 4 if family == "modernbert" else 3
    has_final = family not in ("bert", "deberta-v2")
    assert len(blocks) == 1 + n_blocks + has_final
    assert id(features.module.get_input_embeddings().weight) in ids[0]
    every = [k for block in ids for k in block]
    assert sorted(every) == sorted(id(p) for p in features.module.parameters())
    if has_final:
        assert len(ids[-1]) <= 2


def test_a_copy_is_independent_and_its_blocks_are_its_own(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    before = state(features)
    twin = features.copy()
    with torch.no_grad():
        for block in twin.blocks():
            for parameter in block.parameters():
                parameter.add_(1)
    assert equal(state(features), before)
    changed = state(twin)
    assert all(
        not torch.equal(changed[name], before[name])
        for name, _ in features.module.named_parameters()
    )


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_what_is_saved_is_read_back_and_by_transformers_too(tiny, tmp_path, family):
    import transformers

    features = TextFeatures.from_pretrained(tiny(family), max_length=9)
    features.save(tmp_path)
    again = load_features(tmp_path)
    assert again.settings() == features.settings()
    assert equal(state(again), state(features))
    with torch.inference_mode():
        assert torch.equal(again(again.collate(TEXTS)), features(features.collate(TEXTS)))
    plain = transformers.AutoModel.from_pretrained(tmp_path).state_dict()
    assert all(
        torch.equal(plain[name], tensor) for name, tensor in features._whole.state_dict().items()
    )


def test_gradients_reach_the_embeddings(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    features.module.requires_grad_(True)
    features(features.collate(TEXTS)).sum().backward()
    gradient = features.module.get_input_embeddings().weight.grad
    assert gradient is not None and bool(gradient.any())


def test_a_longer_text_is_refused_or_cut_and_counted(tiny):
    long = " ".join(["the old sailors watched a light"] * 30)
    with pytest.raises(InputError, match="the limit is 64"):
        TextFeatures.from_pretrained(tiny("bert")).collate([long])
    features = TextFeatures.from_pretrained(tiny("bert"), max_length=8)
    batch = features.collate(["she walks", long])
    assert batch["cut"].tolist() == [False, True]
    assert batch["input_ids"].shape[1] == 8


def test_what_cannot_be_used_is_named(tiny, tmp_path):
    with pytest.raises(InputError, match=r"'max'.*cls, last, mean"):
        TextFeatures.from_pretrained(tiny("bert"), pooling="max")
    with pytest.raises(InputError, match="no sub-tokens"):
        TextFeatures.from_pretrained(tiny("bert")).collate(["she", ""])
    with pytest.raises(InputError, match=r"no features\.json"):
        load_features(tmp_path)
    (tmp_path / "features.json").write_text('{"kind": "sound"}')
    with pytest.raises(InputError, match=r"'sound'.*known: image, text"):
        load_features(tmp_path)
    (tmp_path / "features.json").write_text('{"kind": "text"}')
    with pytest.raises(InputError, match="holds no features of texts"):
        load_features(tmp_path)
    (tmp_path / "features.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        load_features(tmp_path)


def test_a_text_that_is_too_long_is_refused_by_what_training_has(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    with pytest.raises(InputError, match=r"the limit is \d+ .*; set max_length to \d+"):
        features.collate(["word " * 600])
