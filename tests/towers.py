"""Tiny models of images and texts, with a tokenizer and an image processor."""

from pathlib import Path

import pytest
import torch
import transformers
from transformers.utils import is_sentencepiece_available

import image_zoo
import kinds
import zoo

TEXTS = ["a photo of a dog, class0 or class1.", "BRIGHT stripes drawn in darkness: xyz_jkqw v"]
MOST = 40
"""Sub-tokens of a text."""
NEEDS = "transformers 5.0 loads no tokenizer of SigLIP without sentencepiece"
IS_LACKING = transformers.__version__.startswith("5.0.") and not is_sentencepiece_available()
EACH = pytest.mark.parametrize(
    "family", ["clip", pytest.param("siglip", marks=pytest.mark.skipif(IS_LACKING, reason=NEEDS))]
)


def save(family: str, folder: str | Path, *, pads: bool = True) -> None:
    """Write one of the families clip and siglip; its tokenizer may have no token for padding."""
    image_zoo.save(family, folder)  # for its image processor
    tokenizer = kinds.train("character", TEXTS)
    name, fields = image_zoo.FAMILIES[family]
    text = fields["text_config"] | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": MOST,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    more = {"projection_dim": 20} if family == "clip" else {}
    config = getattr(transformers, name)(**fields | {"text_config": text}, **more)
    with torch.random.fork_rng(devices=[]):
        model = transformers.AutoModel.from_config(config)
    zoo._draw(model)
    model.save_pretrained(folder)
    if not pads:
        tokenizer.pad_token = None
        tokenizer.eos_token = tokenizer.sep_token
    tokenizer.save_pretrained(folder)
