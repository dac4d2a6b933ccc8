"""Features of pairs of texts are those of plain transformers, and are cut, batched and kept so."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
import transformers

import zoo
from probes.encoders import TextEncoder
from probes.encoders.features import load_features
from probes.encoders.text_features import TextFeatures
from probes.encoders.text_pairs import JoinedPair
from probes.errors import InputError
from probes.states import extract
from probes.task import sentence_task
from probes.transfer.begun import digest_of_items
from probes.transfer.classifier import Classifier
from probes.transfer.examples import labelled

TEXTS = (*zoo.SENTENCES[1:3], "a dog , naïve", "the old sailors watched", "yes")
PAIRS = [*itertools.pairwise(TEXTS), (zoo.SENTENCES[0], "she")]
CASES = [
    *((family, pooling) for family in ("bert", "roberta") for pooling in ("cls", "mean", "last")),
    *((family, pooling) for family in ("gpt2", "llama", "opt") for pooling in ("mean", "last")),
    ("albert", "mean"),
    ("deberta-v2", "cls"),
    ("xlm-roberta", "mean"),
    ("modernbert", "cls"),
    ("t5", "mean"),
    ("bart", "last"),
]
HAVE_TYPES = ("bert", "albert")


def plain(family, folder, pairs, pooling, **options):
    """The same by plain transformers, a pair at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    found = []
    for first, second in pairs:
        answer = tokenizer(
            first, second, return_token_type_ids=True, return_special_tokens_mask=True, **options
        )
        special = answer["special_tokens_mask"]
        # Causal models are given their beginning-of-sequence token where the tokenizer puts none.
        before = [tokenizer.bos_token_id] if family == "gpt2" else []
        ids = torch.tensor([before + answer["input_ids"]])
        types = {"token_type_ids": torch.tensor([answer["token_type_ids"]])}
        with torch.inference_mode():
            states = model(ids, **(types if family in HAVE_TYPES else {})).last_hidden_state[0]
        content = [k for k, mark in enumerate([1] * len(before) + special) if not mark]
        at = {"cls": [0], "mean": content, "last": content[-1:]}[pooling]
        found.append(states[at].mean(0))
    return torch.stack(found)


@pytest.mark.parametrize(("family", "pooling"), CASES)
def test_features_of_pairs_are_those_of_plain_transformers(tiny, family, pooling):
    features = TextFeatures.from_pretrained(tiny(family), pooling=pooling)
    expected = plain(family, tiny(family), PAIRS, pooling)
    with torch.inference_mode():
        found = features(features.collate(PAIRS))
    assert (found - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("family", ["bert", "roberta", "opt"])
@pytest.mark.parametrize("limit", [8, 13, 24])
def test_the_longer_text_is_cut_first_and_the_pair_is_counted(tiny, family, limit):
    features = TextFeatures.from_pretrained(tiny(family), pooling="mean", max_length=limit)
    cut = {"truncation": "longest_first", "max_length": limit}
    expected = plain(family, tiny(family), PAIRS, "mean", **cut)
    batch = features.collate(PAIRS)
    with torch.inference_mode():
        found = features(batch)
    assert (found - expected).norm() <= 1e-5 * expected.norm()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny(family))
    lengths = [len(ids) for ids in tokenizer(*map(list, zip(*PAIRS, strict=True)))["input_ids"]]
    assert batch["cut"].tolist() == [length > limit for length in lengths]
    assert limit == 24 or batch["cut"].any()
    assert batch["attention_mask"].sum(1).tolist() == [min(length, limit) for length in lengths]


@pytest.mark.parametrize("limit", range(5, 16))
@pytest.mark.parametrize(("n", "m"), [(3, 9), (9, 3), (6, 6), (1, 11), (7, 6), (6, 7), (11, 1)])
def test_what_is_cut_is_what_the_library_of_tokenizers_cuts(n, m, limit):
    tokenizer = zoo.kinds.train("wordpiece", ["a b"] * 3)
    texts = " ".join(["a"] * n), " ".join(["b"] * m)
    whole = tokenizer(*texts, return_special_tokens_mask=True, return_token_type_ids=True)
    pair = JoinedPair(
        np.array(whole["input_ids"]),
        np.array(whole["token_type_ids"]),
        np.array(whole["special_tokens_mask"], dtype=bool),
        n,
    )
    short = tokenizer(
        *texts, truncation="longest_first", max_length=limit, return_token_type_ids=True
    )
    cut = pair.cut(limit)
    assert cut.ids.tolist() == short["input_ids"] and cut.types.tolist() == short["token_type_ids"]
    assert cut.n_first == short["input_ids"].count(whole["input_ids"][1])


def test_the_second_text_and_the_order_of_the_two_matter(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    with torch.inference_mode():
        pairs = [("she walks", "yes"), ("yes", "she walks"), ("she walks", "she walks")]
        a, b, c = features(features.collate(pairs))
    assert min((a - b).norm(), (a - c).norm(), (b - c).norm()) > 1e-2 * a.norm()


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_a_pair_has_the_same_feature_alone_and_in_company(tiny, family):
    features = TextFeatures.from_pretrained(tiny(family))
    head = Classifier.from_features(features, ("x", "y"), seed=0)
    alone = np.concatenate([head.feature_matrix([pair])[0] for pair in PAIRS])
    together, n_cut = head.feature_matrix(PAIRS, batch_size=2)
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    assert n_cut == 0


def test_pairs_alike_in_length_share_a_batch(tiny, monkeypatch):
    features = TextFeatures.from_pretrained(tiny("bert"))
    seen = []
    collate = features.collate
    monkeypatch.setattr(features, "collate", lambda items: seen.append(items) or collate(items))
    pairs = [("she walks " * 4, "yes"), ("yes", "yes"), ("yes", "she walks " * 4), ("yes", "she")]
    Classifier.from_features(features, ("x", "y")).feature_matrix(pairs, batch_size=2)
    assert [sorted(batch) for batch in seen] == [
        sorted([pairs[1], pairs[3]]),
        sorted([pairs[0], pairs[2]]),
    ]


def test_what_is_saved_reads_pairs_as_before(tiny, tmp_path):
    features = TextFeatures.from_pretrained(tiny("bert"), max_length=20)
    features.save(tmp_path)
    again = load_features(tmp_path)
    with torch.inference_mode():
        assert torch.equal(again(again.collate(PAIRS)), features(features.collate(PAIRS)))


def test_what_cannot_be_used_is_named(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    with pytest.raises(InputError, match="item 1 is 'she walks' among pairs of texts"):
        features.collate([("she", "walks"), "she walks"])
    with pytest.raises(InputError, match=r"item 0 is .* among pairs"):
        features.collate([("she", "walks", "home")])
    with pytest.raises(InputError, match="a text of the pair 'she walks' / '' has no sub-tokens"):
        features.collate([("she walks", "")])
    long = "the old sailors watched a light " * 20
    with pytest.raises(InputError, match=r"the limit is 64 \(1 of 2 pairs here.*max_length"):
        features.collate([("she", "walks"), (long, "yes")])
    with pytest.raises(InputError, match="half of a surrogate"):
        features.collate([("she", "\ud800")])
    with pytest.raises(InputError, match="leave no room beside 3 special"):
        TextFeatures.from_pretrained(tiny("bert"), max_length=4).collate([("she", "walks")])
    with pytest.raises(InputError, match="puts none there"):
        TextFeatures.from_pretrained(tiny("t5"), pooling="cls").collate([("she", "walks")])


def task_of(seconds):
    fields = {"splits": ["train"] * 2, "name": "made", "labelling": "l"}
    return sentence_task(["a", "b / c"], ["x", "y"], seconds=seconds, **fields)


def items_of(seconds):
    return labelled(task_of(seconds), "train", ("x", "y"))


def test_a_task_says_that_it_is_of_pairs_and_has_a_second_text_for_each():
    task = task_of(("c", "d"))
    assert (task.unit, task.surfaces) == ("sentence-pair", ["a / c", "b / c / d"])
    assert task_of(None).unit == "sentence" and task_of(None).seconds is None
    with pytest.raises(InputError, match="1 second texts for 2 units of kind 'sentence-pair'"):
        task_of(("c",))
    with pytest.raises(InputError, match="no second texts for 2 units of kind 'sentence-pair'"):
        dataclasses.replace(task, seconds=None)
    with pytest.raises(InputError, match="2 second texts for 2 units of kind 'sentence'"):
        dataclasses.replace(task, unit="sentence")


def test_a_store_takes_no_pairs_and_names_what_does(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    with pytest.raises(InputError, match=r"is of pairs of texts.*\(probes train\)"):
        extract(task_of(("c", "d")), encoder, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_items_of_a_pair_are_both_texts_and_digests_tell_them_apart():
    found = items_of(("b / c", "d"))
    assert list(found.items) == [("a", "b / c"), ("b / c", "d")]
    assert found.names == ["a / b / c", "b / c / d"]
    digests = {digest_of_items([items_of(s)]) for s in (None, ("b / c", "d"), ("b", "c / d"))}
    assert len(digests) == 3
    # Runs over single texts that were begun before there were pairs go on.
    assert digest_of_items([items_of(None)]) == "522693bca6b2b6024d832c0d252b1a6e"
