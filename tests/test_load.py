"""What releases of transformers do differently at load is one thing to a user."""

import json

import transformers

import kinds
import zoo
from probes.encoders import TextEncoder
from probes.encoders.load import load_tokenizer
from probes.errors import InputError


def test_a_configuration_that_names_no_padding_is_loaded(tmp_path):
    # transformers 5.0 gives Phi's no such field, and its model asks for it.
    config = transformers.PhiConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        vocab_size=400,
        pad_token_id=None,
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    kinds.train("byte-bpe-bare", zoo.SENTENCES).save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    stored.pop("pad_token_id", None)
    (tmp_path / "config.json").write_text(json.dumps(stored))
    for seed in (None, 0):
        assert TextEncoder.from_pretrained(str(tmp_path), random_weights=seed).n_layers == 3


def test_a_tokenizer_without_its_vocabulary_file_is_loaded_or_refused_in_one_message(tmp_path):
    # transformers 5.0 looks for source.spm beside Marian's tokenizer.json; later ones need it not.
    transformers.MarianConfig(vocab_size=400, pad_token_id=1).save_pretrained(tmp_path)
    kinds.train("byte-bpe", zoo.SENTENCES).save_pretrained(tmp_path)
    try:
        assert load_tokenizer(str(tmp_path), {}).is_fast
    except InputError as error:
        assert "tokenizer of the model in the folder" in str(error)
