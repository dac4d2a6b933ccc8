"""Vectors are what a plain forward pass of Hugging Face gives, whatever stands around them."""

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from probes.encoders import TextEncoder
from probes.errors import InputError
from probes.states import extract
from probes.task import sentence_task, word_task
from zoo import SENTENCES

FAMILIES = ("bert", "roberta", "gpt2", "llama", "albert")


def words_of(sentences, **fields):
    words = [s.split() for s in sentences]
    labels = [[w[0] for w in row] for row in words]
    names = [str(k) for k in range(len(words))]
    fields = {"name": "words", "labelling": "initial", **fields}
    return word_task(words, labels, splits=["train"] * len(words), groups=names, **fields)


@functools.lru_cache(maxsize=32)
def plain_model(folder: str):
    return (
        transformers.AutoTokenizer.from_pretrained(folder),
        transformers.AutoModel.from_pretrained(folder, dtype=torch.float64).eval(),
    )


def first_id(folder: str) -> list[int]:
    """What is put before a text: GPT-2's tokenizer has a beginning token and does not use it."""
    return [plain_model(folder)[0].bos_token_id] if "gpt2" in folder else []


@functools.lru_cache(maxsize=64)
def plain_layers(folder: str, text: str) -> tuple[list[int], dict[str, torch.Tensor]]:
    """One text, one forward in float64; the last block's raw output by a hook of its own."""
    tokenizer, model = plain_model(folder)
    ids = first_id(folder) + tokenizer(text, padding=False, truncation=False)["input_ids"]
    blocks = next(
        m
        for m in model.modules()
        if isinstance(m, torch.nn.ModuleList) and len(m) == model.config.num_hidden_layers
    )
    raw = []
    hook = blocks[-1].register_forward_hook(
        lambda module, args, out: raw.append(out if isinstance(out, torch.Tensor) else out[0])
    )
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_hidden_states=True)
    hook.remove()
    layers = {str(k): h[0] for k, h in enumerate(out.hidden_states[:-1])}
    layers[str(len(out.hidden_states) - 1)] = raw[0][0]
    layers["final"] = out.last_hidden_state[0]
    return ids, layers


def alignment_by_concatenation(folder: str, words: list[str]) -> list[list[int]]:
    """Sub-token positions of each word, from tokenising the words one at a time."""
    raw = plain_model(folder)[0].backend_tokenizer
    raw.no_padding()
    raw.no_truncation()
    whole = raw.encode(" ".join(words))
    byte_level = "ByteLevel" in str(raw.pre_tokenizer)
    pieces = [
        raw.encode((" " if byte_level and k else "") + word, add_special_tokens=False).ids
        for k, word in enumerate(words)
    ]
    content = [k for k, special in enumerate(whole.special_tokens_mask) if not special]
    assert [whole.ids[k] for k in content] == [i for piece in pieces for i in piece]
    positions, at, shift = [], 0, len(first_id(folder))
    for piece in pieces:
        positions.append([shift + k for k in content[at : at + len(piece)]])
        at += len(piece)
    return positions


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "llama"])
def test_vectors_equal_a_plain_forward_of_each_sentence_alone(tiny, tmp_path, family, side):
    folder = tiny(family, side)
    encoder = TextEncoder.from_pretrained(folder)
    task = words_of(SENTENCES)
    for pooling in ("mean", "first", "last", "max"):
        store = extract(task, encoder, tmp_path, pooling=pooling, budget=100)
        X = {layer: store.X(layer) for layer in encoder.layers}
        unit = 0
        for sentence in SENTENCES:
            _, layers = plain_layers(folder, sentence)
            for positions in alignment_by_concatenation(folder, sentence.split()):
                for layer in encoder.layers:
                    states = layers[layer][positions]
                    expected = {
                        "mean": states.mean(0),
                        "first": states[0],
                        "last": states[-1],
                        "max": states.max(0).values,
                    }[pooling].numpy()
                    error = np.linalg.norm(X[layer][unit] - expected)
                    assert error <= 1e-5 * np.linalg.norm(expected), (layer, unit, pooling)
                unit += 1
        assert unit == task.n_units


def test_minilm_words_stand_where_a_hand_puts_them(minilm):
    encoder = TextEncoder.from_pretrained(minilm)
    text = "Unbelievably , the tokenizer 's pre-trained naïve vocabulary works ."
    by_hand = {
        "Unbelievably": ["un", "##bel", "##ie", "##va", "##bly"],
        ",": [","],
        "the": ["the"],
        "tokenizer": ["token", "##izer"],
        "'s": ["'", "s"],
        "pre-trained": ["pre", "-", "trained"],
        "naïve": ["naive"],
        "vocabulary": ["vocabulary"],
        "works": ["works"],
        ".": ["."],
    }
    assert text.split() == list(by_hand)
    pieces = encoder.tokenize([text])
    task = words_of([text])
    covered = pieces.cover(task.text_index, task.spans)
    tokens = encoder.tokenizer.convert_ids_to_tokens(pieces.ids[pieces.content].tolist())
    assert [tokens[a:b] for a, b in covered] == list(by_hand.values())


def test_minilm_vectors_equal_a_plain_forward(minilm, tmp_path):
    encoder = TextEncoder.from_pretrained(minilm)
    store = extract(words_of(SENTENCES), encoder, tmp_path)
    X = {layer: store.X(layer) for layer in encoder.layers}
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm)
    unit = 0
    for sentence in SENTENCES:
        words = sentence.split()
        encoded = tokenizer(
            [words], is_split_into_words=True, padding=False, truncation=False
        ).word_ids(0)
        _, layers = plain_layers(minilm, sentence)
        for number in range(len(words)):
            at = [k for k, word in enumerate(encoded) if word == number]
            for layer in encoder.layers:
                expected = layers[layer][at].mean(0).numpy()
                error = np.linalg.norm(X[layer][unit] - expected)
                assert error <= 1e-5 * np.linalg.norm(expected)
            unit += 1


@pytest.mark.parametrize("family", FAMILIES)
def test_batch_composition_does_not_change_a_vector(tiny, tmp_path, family):
    encoder = TextEncoder.from_pretrained(tiny(family))
    task = words_of(SENTENCES)
    alone = extract(task, encoder, tmp_path / "alone", budget=1)
    crowd = extract(task, encoder, tmp_path / "crowd", budget=10_000)
    for layer in encoder.layers:
        a, b = alone.X(layer), crowd.X(layer)
        assert (np.linalg.norm(a - b, axis=1) <= 1e-5 * np.linalg.norm(a, axis=1)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_up_to_k_compute_no_block_above_and_give_the_same_bits(tiny, family):
    encoder = TextEncoder.from_pretrained(tiny(family))
    whole = encoder.hidden_states(SENTENCES[:3], encoder.layers)
    executed = []
    name = encoder.reader.semantics["blocks"]
    for block in encoder.model.get_submodule(name):
        block.register_forward_hook(lambda *_: executed.append(1))
    for k in range(encoder.n_layers + 1):
        executed.clear()
        part = encoder.hidden_states(SENTENCES[:3], [str(k)])
        assert list(part) == [str(k)]
        assert torch.equal(part[str(k)], whole[str(k)])
        # the blocks below k have run; at the top, the last hook is cut short by the stop
        assert len(executed) == min(k, encoder.n_layers - 1)


def test_final_is_after_the_final_norm_and_differs_from_the_last_block(tiny):
    encoder = TextEncoder.from_pretrained(tiny("gpt2"))
    states = encoder.hidden_states(SENTENCES[:1], encoder.layers)
    assert torch.allclose(encoder.model.ln_f(states["3"]), states["final"], atol=1e-6)
    assert "final" not in TextEncoder.from_pretrained(tiny("bert")).layers


def test_causal_models_are_known_by_trial(tiny):
    causal = {f: TextEncoder.from_pretrained(tiny(f)).is_causal for f in FAMILIES}
    assert causal == dict.fromkeys(FAMILIES, False) | {"gpt2": True, "llama": True}


def test_stored_padding_and_truncation_are_never_trusted(tiny):
    encoder = TextEncoder.from_pretrained(tiny("bert", "left"))
    long = " ".join(["dog"] * 20)
    pieces = encoder.tokenize(["she walks", long])
    assert pieces.lengths[0] < 10 < 20 <= pieces.lengths[1]
    assert encoder.pad_id not in pieces.ids


def test_random_weights_depend_on_the_seed_alone(tiny):
    folder = tiny("bert")
    first, again, other = (
        TextEncoder.from_pretrained(folder, random_weights=seed).digest for seed in (0, 0, 1)
    )
    pretrained = TextEncoder.from_pretrained(folder).digest
    assert first == again
    assert len({first, other, pretrained}) == 3


def test_sentences_are_pooled_without_special_tokens(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    n = len(SENTENCES)
    task = sentence_task(
        SENTENCES, ["x"] * n, splits=["train"] * n, name="sentences", labelling="x"
    )
    pooled = {
        how: extract(task, encoder, tmp_path, pooling=how).X(3) for how in ("mean", "cls", "last")
    }
    for k, sentence in enumerate(SENTENCES):
        _, layers = plain_layers(tiny("bert"), sentence)
        h = layers["3"].numpy()
        for how, expected in (("mean", h[1:-1].mean(0)), ("cls", h[0]), ("last", h[-2])):
            assert np.linalg.norm(pooled[how][k] - expected) <= 1e-5 * np.linalg.norm(expected)


def test_cls_pooling_needs_a_token_before_the_text(tiny, tmp_path):
    task = sentence_task(["she walks"], ["x"], splits=["train"], name="s", labelling="x")
    encoder = TextEncoder.from_pretrained(without_bos(tiny("gpt2"), tmp_path / "gpt2"))
    with pytest.raises(InputError, match="special token before the text"):
        extract(task, encoder, tmp_path, pooling="cls")


def test_a_long_text_is_an_error_unless_asked_otherwise(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    task = words_of(["she walks", "dog " * 99 + "dog"])
    with pytest.raises(InputError, match=r"text 1 has 102 tokens.*--truncation window"):
        extract(task, encoder, tmp_path)


def test_windows_answer_every_word_with_context_on_both_sides(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"), max_tokens=12)
    task = words_of(["she walks", "dog " * 29 + "dog"])
    store = extract(task, encoder, tmp_path, truncation="window")
    assert store.count("n_windowed") == 1
    assert not len(store.lost)
    assert np.isfinite(store.X(3)).all()
    short = extract(words_of(["she walks"]), encoder, tmp_path)
    assert np.allclose(store.X(3)[:2], short.X(3), atol=1e-5)


def test_truncation_counts_what_it_cuts(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"), max_tokens=12)
    task = words_of(["she walks", "dog " * 29 + "dog"])
    store = extract(task, encoder, tmp_path, truncation="truncate")
    assert store.count("n_truncated") == 1
    assert store.lost.tolist() == list(range(12, 32))
    assert np.isnan(store.X(3)[12:]).all()
    assert np.isfinite(store.X(3)[:12]).all()


def test_uncovered_words_are_reported_or_counted(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    words = [["she", "", "walks"], ["dog", "\u200b\x00", "barks"]]
    labels = [["a"] * 3, ["b"] * 3]
    task = word_task(
        words, labels, splits=["train"] * 2, groups=["0", "1"], name="w", labelling="x"
    )
    with pytest.raises(InputError, match=r"the word '' of text 0 .*\(and 1 more\).*--lost skip"):
        extract(task, encoder, tmp_path)
    store = extract(task, encoder, tmp_path, lost="skip")
    assert store.lost.tolist() == [1, 4]
    assert np.isnan(store.X(2)[[1, 4]]).all()
    assert np.isfinite(store.X(2)[[0, 2, 3, 5]]).all()
    with pytest.raises(InputError, match="--lost skip"):
        extract(task, encoder, tmp_path)


def test_unknown_models_are_one_message(tmp_path):
    with pytest.raises(InputError, match="no model 'no/such-model'"):
        TextEncoder.from_pretrained("no/such-model")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no config\.json"):
        TextEncoder.from_pretrained(str(tmp_path / "empty"))


def test_a_checkpoint_without_all_its_weights_is_refused(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    source = tiny("bert")
    model = transformers.AutoModel.from_pretrained(source)
    model.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    gone = next(name for name in weights if "layer.1.output.dense.weight" in name)
    del weights[gone]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="lacks 1 weights"):
        TextEncoder.from_pretrained(str(tmp_path))


def test_not_finite_vectors_are_located(tiny, tmp_path):
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    with torch.no_grad():
        encoder.model.encoder.layer[1].output.dense.bias.add_(1e9)
    task = words_of(SENTENCES[:2])
    with pytest.raises(InputError, match=r"layer 2, text .*does not fit into float16"):
        extract(task, _without_norm(encoder), tmp_path, dtype="float16")


def without_bos(folder: str, to: Path) -> str:
    """Copy a model, and take the beginning token out of its tokenizer."""
    shutil.copytree(folder, to)
    settings = json.loads((to / "tokenizer_config.json").read_text())
    settings["bos_token"] = None
    (to / "tokenizer_config.json").write_text(json.dumps(settings))
    return str(to)


def _without_norm(encoder):
    encoder.model.encoder.layer[1].output.LayerNorm = torch.nn.Identity()
    return encoder


@pytest.mark.parametrize("wrapped", [False, True])
def test_blocks_may_return_a_tensor_or_a_tuple_and_keep_their_batch(tiny, wrapped):
    encoder = TextEncoder.from_pretrained(tiny("gpt2"))
    expected = encoder.hidden_states(SENTENCES[:3], encoder.layers)

    class Model(torch.nn.Module):
        """The same blocks, one after the other, whatever they return."""

        def __init__(self, inner):
            super().__init__()
            self.inner, self.config = inner, inner.config
            self.blocks = torch.nn.ModuleList(map(Block, inner.h))

        def forward(self, input_ids, attention_mask=None, output_hidden_states=False):
            positions = torch.arange(input_ids.shape[1])
            state = self.inner.wte(input_ids) + self.inner.wpe(positions)
            for block in self.blocks:
                output = block(state)
                state = output[0] if wrapped else output
            last = self.inner.ln_f(state)
            return transformers.modeling_outputs.BaseModelOutput(last_hidden_state=last)

        def get_input_embeddings(self):
            return self.inner.wte

    class Block(torch.nn.Module):
        def __init__(self, block):
            super().__init__()
            self.block = block

        def forward(self, state):
            output = self.block(state)
            output = output if isinstance(output, torch.Tensor) else output[0]
            return (output, None) if wrapped else output

    for block in encoder.model.h:
        block._forward_hooks.clear()
        block._forward_pre_hooks.clear()
    again = TextEncoder(Model(encoder.model), encoder.tokenizer, name="wrapped")
    found = again.hidden_states(SENTENCES[:3], again.layers)
    mask = again.pad(SENTENCES[:3])[1].bool()
    for layer in ("0", "1", "2", "3", "final"):
        assert found[layer].shape == expected[layer].shape
        assert torch.allclose(found[layer][mask], expected[layer][mask], atol=1e-5)
