"""Heads on given states, and vectors put back into a layer."""

import functools

import pytest
import torch
import transformers

import zoo
from probes.encoders import TextEncoder
from probes.encoders.head import load_with_head
from probes.encoders.patch import Patches
from probes.errors import InputError

TEXTS = (*zoo.SENTENCES[:5], "the dog")
CAUSAL = {"gpt2": {}, "llama": {}, "gemma2": {"final_logit_softcapping": 2.0}, "opt": {}}


@pytest.fixture(scope="module")
def headed(tmp_path_factory):
    """Folders of tiny causal language models with heads."""
    folders = {}
    for family, more in CAUSAL.items():
        folders[family] = str(tmp_path_factory.mktemp(family))
        zoo.save(family, folders[family], auto="AutoModelForCausalLM", **more)
    return folders


@pytest.fixture(scope="module")
def encoders(headed, tiny):
    """Encoders by family, and the heads of those that have one, each loaded once."""

    @functools.cache
    def load(family):
        return load_with_head(headed[family] if family in headed else tiny(family))

    return load


@pytest.mark.parametrize("family", CAUSAL)
def test_a_head_gives_the_whole_models_logits(headed, encoders, family):
    encoder, head = encoders(family)
    attention = encoder.model.config._attn_implementation  # of Gemma 2 in transformers 5.0
    whole = transformers.AutoModelForCausalLM.from_pretrained(
        headed[family], attn_implementation=attention
    ).eval()
    ids, mask = encoder.pad(TEXTS)
    with torch.no_grad():
        wanted = whole(input_ids=ids, attention_mask=mask).logits
    top = encoder.layers[-1]
    given = head(encoder.states_of(ids, mask, [top])[top])
    assert (given - wanted)[mask.bool()].abs().max() <= 1e-5


@pytest.mark.parametrize("family", CAUSAL)
def test_an_encoder_with_a_head_is_the_encoder_without(headed, encoders, family):
    encoder, _ = encoders(family)
    assert encoder.fingerprint == TextEncoder.from_pretrained(headed[family]).fingerprint


def test_tied_weights_are_held_once(encoders):
    encoder, head = encoders("gpt2")
    table = encoder.model.get_input_embeddings().weight
    assert [held is table for held in head._model.parameters()] == [True]


def test_a_checkpoint_without_a_head_has_none(encoders):
    encoder, head = encoders("bert")
    assert head is None and encoder.n_layers == 3


POOLINGS = [
    *(("bert", pooling) for pooling in ("mean", "cls", "last", "first")),
    *(("gpt2", pooling) for pooling in ("mean", "last")),
    *((family, "last") for family in ("llama", "gemma2", "opt", "mamba")),
]


@pytest.mark.parametrize(("family", "pooling"), POOLINGS)
def test_own_vectors_put_back_change_nothing(encoders, family, pooling):
    encoder = encoders(family)[0]
    patches = Patches(encoder, TEXTS, pooling)
    last = patches.last()
    for layer, own in patches.own(encoder.layers).items():
        put = patches.run(layer, torch.stack([own, own]))
        assert (put - last).norm() <= 2e-6 * last.norm() * 2**0.5


@pytest.mark.parametrize(("family", "pooling"), POOLINGS)
def test_what_is_put_in_at_the_last_layer_is_what_is_read(encoders, family, pooling):
    encoder = encoders(family)[0]
    patches = Patches(encoder, TEXTS, pooling)
    top = encoder.layers[-1]
    put = torch.randn(
        3, len(TEXTS), encoder.widths[top], generator=torch.Generator().manual_seed(0)
    )
    assert (patches.run(top, put) - put).abs().max() <= 1e-5


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "opt"])
def test_stored_keys_and_values_give_what_the_whole_pass_gives(encoders, family):
    encoder = encoders(family)[0]
    fast, slow = (Patches(encoder, TEXTS, "last", shorten=shorten) for shorten in (True, False))
    assert fast.uses_cache
    for layer, own in slow.own(encoder.layers).items():
        put = torch.stack([own.roll(1, 0), 0.3 * own, own.mean(0).expand_as(own)])
        whole = slow.run(layer, put)
        assert (fast.run(layer, put) - whole).norm() <= 1e-5 * whole.norm()
        assert (fast.run(layer, put) - whole).norm() <= 1e-5 * whole.norm()  # and once more


def test_a_maximum_cannot_be_put_back(encoders):
    encoder = encoders("bert")[0]
    with pytest.raises(InputError, match="choose mean, last"):
        Patches(encoder, TEXTS, "max")


def test_a_decoder_that_sees_its_encoder_is_refused(tiny):
    encoder = TextEncoder.from_pretrained(tiny("t5"), part="decoder")
    with pytest.raises(InputError, match="--part encoder"):
        Patches(encoder, TEXTS, "last")
