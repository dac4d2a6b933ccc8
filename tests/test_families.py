"""The contract holds for every family, at every layer."""

import pytest
import torch
import transformers

import families
import zoo
from probes.doctor import measure
from probes.doctor.contract import that_fit
from probes.encoders import TextEncoder
from probes.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")
MEASURED = ("batch = single", "layers = plain forward", "words", "run from a layer", "pad = eos")


@pytest.fixture(scope="module", params=families.MEMBERS, ids=lambda m: families.name_of(*m))
def member(request, tmp_path_factory):
    family, part = request.param
    folder = tmp_path_factory.mktemp(family)
    zoo.save(family, folder)
    return str(folder), family, part


def test_every_vector_is_what_a_plain_forward_of_its_text_alone_gives(member):
    folder, family, part = member
    encoder, checks = families.examined(folder, part, narrow=False)
    found = {check.name: check for check in checks}
    assert [check for check in checks if check.outcome == "fail"] == []
    for name in MEASURED:
        assert found[name].value <= 1e-5, found[name]
    assert found["run from a layer"].value == 0
    left = found["left padding"]
    assert left.outcome == "pass" or "right only" in left.found
    if family == "bart" and part is None:
        assert left.found.startswith("right only")
    assert encoder.n_layers in (3, 4)


def test_the_last_layer_is_what_transformers_itself_gives_in_float64(member):
    folder, _, part = member
    if part is not None:
        return  # its decoder is compared above; here models as they come, or their encoder
    encoder = TextEncoder.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    # transformers 5.0 drops Gemma 2's capping of logits unless attention is the plain one.
    attention = encoder.model.config._attn_implementation
    options = {
        "dtype": torch.float64,
        "experts_implementation": "eager",
        "attn_implementation": attention,
    }
    model = transformers.AutoModel.from_pretrained(folder, **options).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    texts = that_fit(encoder, families.TEXTS)
    batch = encoder.hidden_states(texts, encoder.layers)[encoder.layers[-1]]
    for row, text in enumerate(texts):
        ids = tokenizer(text)["input_ids"]
        if encoder.is_causal and tokenizer.bos_token_id not in (None, ids[0]):
            ids = [tokenizer.bos_token_id, *ids]
        with torch.no_grad():
            exact = model(torch.tensor([ids])).last_hidden_state[0]
        assert measure.drift(exact, batch[row, : len(ids)]) <= 2e-5


def test_modules_that_are_no_chain_are_not_taken_for_blocks():
    import kinds

    tokenizer = kinds.train("byte-bpe", families.TEXTS)
    config = transformers.XLMConfig(
        vocab_size=len(tokenizer), emb_dim=48, n_layers=3, n_heads=4, pad_index=1
    )
    model = transformers.XLMModel(config)  # its lists hold attentions and norms, never blocks
    with pytest.raises(InputError, match="each receiving what the one before it gave"):
        TextEncoder(model, tokenizer, name="xlm")
