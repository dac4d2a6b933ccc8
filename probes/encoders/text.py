"""Hugging Face text models as layer-wise encoders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor, nn

from probes.choices import Dtype, Pooling, Truncation
from probes.encoders.align import Ints, Pieces
from probes.encoders.batches import Batch, Plan, plan_batches
from probes.encoders.encoder import LayerReader
from probes.encoders.fingerprint import config_digest, tokenizer_digest, weights_digest
from probes.encoders.load import load_config, load_tokenizer, load_weights, model_options
from probes.encoders.pooling import pool
from probes.errors import InputError

SANE_LENGTH = 1_000_000


class TextEncoder:
    """A pretrained text model, read layer by layer.

    Use `from_pretrained`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Without a head; of an encoder-decoder, its encoder.
    tokenizer : transformers.PreTrainedTokenizerBase
        With a fast backend, for the character offsets.
    name, revision : str
        What a result calls the model.
    weights : str
        Digest of the weights, or how they were drawn.
    device : torch.device or str
        Where to compute.
    max_tokens : int, optional
        The most tokens a text may have; by default what the model's positions allow.

    Attributes
    ----------
    layers : tuple of str
        ``"0"`` … ``str(n_layers)``, and ``"final"`` where a norm follows the last block.
    widths : dict of str to int
        Width of each layer.
    is_causal : bool
        Whether a state sees only what stands before it: units are then pooled by their last
        sub-token, unless asked otherwise.
    fingerprint : dict of str to str
        What decides a vector, as far as the model goes; the key of an activation store.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        revision: str = "",
        weights: str = "",
        device: torch.device | str = "cpu",
        max_tokens: int | None = None,
    ) -> None:
        _require_offsets(tokenizer, name)
        self.name = name
        self.revision = revision
        self.tokenizer = tokenizer
        self._markers = _space_markers(tokenizer)
        self.config = model.config.get_text_config()
        self.digest = weights or weights_digest(model)
        self.device = torch.device(device)
        self._model = model.to(self.device).eval().requires_grad_(False)
        self._keywords = _accepted(model)
        if "input_ids" not in self._keywords:
            raise InputError(f"the model {name!r} ({type(model).__name__}) reads no text")
        self._n_ids = _number_of_ids(model)
        self.max_tokens = _limit(self.config, tokenizer, max_tokens)
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        self._reader = LayerReader(
            self._model, _number_of_blocks(self.config, name), self._inputs(*_short(self.config))
        )
        self.n_layers = self._reader.n_layers
        self.is_causal = self._reader.is_causal
        self.layers = self._reader.names
        self.widths = self._reader.widths
        self.dtype = str(next(self._model.parameters()).dtype).removeprefix("torch.")
        self.fingerprint = {
            "weights": self.digest,
            "tokenizer": tokenizer_digest(tokenizer),
            "configuration": config_digest(self.config),
            "dtype": self.dtype,
            "attention": str(getattr(self.config, "_attn_implementation", "none")),
            "layers": str(self._reader.semantics),
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        }

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        dtype: Dtype = "float32",
        device: torch.device | str = "cpu",
        attention: str | None = None,
        max_tokens: int | None = None,
        trust_remote_code: bool = False,
        random_weights: int | None = None,
    ) -> TextEncoder:
        """Load a model from a folder, or by its name on the Hugging Face hub.

        Parameters
        ----------
        name : str
            A folder with ``config.json``, or a name such as ``"bert-base-uncased"``.
        revision : str, optional
            Commit, branch or tag on the hub.
        dtype : {"float32", "float64", "bfloat16", "float16"}
            In which to compute. Vectors are pooled in float32 (float64 in the second case).
        device : torch.device or str
            Where to compute.
        attention : str, optional
            Attention implementation, as transformers names them.
        max_tokens : int, optional
            The most tokens a text may have; by default what the model's positions allow.
        trust_remote_code : bool
            Whether code that comes with the model may run. Off unless asked.
        random_weights : int, optional
            A seed: leave the pretrained weights out, and take those of the model's own
            initialisation. The control of a pretrained model.

        Returns
        -------
        TextEncoder
            In evaluation mode.

        Raises
        ------
        InputError
            If there is no such model, it is not a text model, its tokenizer has no fast backend,
            or its checkpoint lacks some of the weights.
        """
        where = {"revision": revision, "trust_remote_code": trust_remote_code}
        config, tokenizer = load_config(name, where), load_tokenizer(name, where)
        options = model_options(config, dtype, attention)
        if random_weights is None:
            model = load_weights(name, config, {**where, **options})
            revision = getattr(config, "_commit_hash", None) or revision or ""
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(random_weights)
                model = transformers.AutoModel.from_config(
                    config, trust_remote_code=trust_remote_code, **options
                )
            revision = f"random weights, seed {random_weights}"
        return cls(
            _encoder_of(model),
            tokenizer,
            name=name,
            revision=revision,
            device=device,
            max_tokens=max_tokens,
        )

    def tokenize(self, texts: Sequence[str]) -> Pieces:
        """Cut texts into sub-tokens, never padded and never truncated.

        Parameters
        ----------
        texts : sequence of str
            At least one.

        Returns
        -------
        Pieces
            With special tokens as the tokenizer adds them.
        """
        answer = self.tokenizer(
            list(texts),
            add_special_tokens=True,
            padding=False,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            verbose=False,
        )
        highest = max(max(ids, default=0) for ids in answer["input_ids"])
        if highest >= self._n_ids:
            raise InputError(
                f"the tokenizer of {self.name!r} gives the id {highest}, and the model has "
                f"{self._n_ids} embeddings; give a model and a tokenizer that belong together"
            )
        return Pieces.build(
            texts,
            answer["input_ids"],
            answer["offset_mapping"],
            answer["special_tokens_mask"],
            self._markers,
        )

    def plan(
        self,
        texts: Sequence[str],
        text_index: Ints,
        spans: Ints,
        *,
        pooling: Pooling,
        truncation: Truncation = "error",
        budget: int = 1024,
        first_text: int = 0,
    ) -> Plan:
        """Lay out the forward passes over some texts; arguments as `plan_batches`."""
        return plan_batches(
            texts,
            self.tokenize(texts),
            text_index,
            spans,
            pooling=pooling,
            limit=self.max_tokens,
            truncation=truncation,
            budget=budget,
            pad_id=self.pad_id,
            first_text=first_text,
        )

    def run(
        self,
        batch: Batch,
        layers: Sequence[str],
        pooling: Pooling,
        sink: Callable[[str, Tensor], None],
    ) -> None:
        """Run one batch and hand over the pooled vectors of each layer.

        Parameters
        ----------
        batch : Batch
            From `plan`.
        layers : sequence of str
            Some of `layers`; blocks above the highest are not computed.
        pooling : str
            As the plan was made for.
        sink : callable
            Is called with the layer's name and the vectors, of shape (n_units, width), float32,
            on the device; a pair's two vectors stand side by side, (n_units, 2 · width).
        """
        segments = batch.segments.reduced(pooling).to(self.device)
        rows = len(batch.units)

        def pooled(name: str, hidden: Tensor) -> None:
            sink(name, pool(hidden, segments, pooling).reshape(rows, -1))

        with torch.inference_mode():
            self._reader.read(self._inputs(batch.input_ids, batch.attention_mask), layers, pooled)

    def hidden_states(self, texts: Sequence[str], layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute whole layers of a few texts, padded on the right.

        Parameters
        ----------
        texts : sequence of str
            No longer than the model allows.
        layers : sequence of str
            Some of `layers`.

        Returns
        -------
        dict of str to Tensor of shape (n_texts, n_tokens, width)
            Padding included.
        """
        pieces = self.tokenize(texts)
        ids = torch.full((len(texts), int(pieces.lengths.max())), self.pad_id)
        mask = torch.zeros_like(ids)
        for k, length in enumerate(pieces.lengths):
            row = pieces.ids[pieces.bounds[k] : pieces.bounds[k + 1]]
            ids[k, :length] = torch.from_numpy(row)
            mask[k, :length] = 1
        found: dict[str, Tensor] = {}
        with torch.inference_mode():
            self._reader.read(
                self._inputs(ids, mask), layers, lambda n, h: found.update({n: h.clone()})
            )
        return found

    def _inputs(self, ids: Tensor, mask: Tensor) -> dict[str, Any]:
        inputs: dict[str, Any] = {
            "input_ids": ids.to(self.device, non_blocking=True),
            "attention_mask": mask.to(self.device, non_blocking=True),
        }
        if "use_cache" in self._keywords:
            inputs["use_cache"] = False
        return {k: v for k, v in inputs.items() if k in self._keywords or k == "input_ids"}


def _encoder_of(model: Any) -> nn.Module:
    return model.get_encoder() if model.config.is_encoder_decoder else model


def _accepted(model: Any) -> set[str]:
    return set(inspect.signature(model.forward).parameters)


def _number_of_ids(model: Any) -> int:
    try:
        return int(model.get_input_embeddings().num_embeddings)
    except (NotImplementedError, AttributeError):  # of a family that does not say
        return int(model.config.get_text_config().vocab_size)


def _require_offsets(tokenizer: Any, name: str) -> None:
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            f"the tokenizer of {name!r} ({type(tokenizer).__name__}) has no fast backend, hence no "
            "character offsets to align words by; save it with a tokenizer.json"
        )


def _space_markers(tokenizer: Any) -> Ints:
    """Ids of the tokens that stand for white space alone."""
    vocabulary = tokenizer.get_vocab().items()
    return np.array([i for token, i in vocabulary if not token.strip("Ġ▁ ")], dtype=np.int64)


def _number_of_blocks(config: Any, name: str) -> int:
    for field in ("num_hidden_layers", "n_layer", "num_layers"):
        if isinstance(getattr(config, field, None), int):
            return int(getattr(config, field))
    raise InputError(f"the configuration of {name!r} does not say how many blocks the model has")


def _limit(config: Any, tokenizer: Any, asked: int | None) -> int | None:
    """The most tokens a row may have: what the positions allow, or less where asked."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        length = tokenizer.model_max_length
        positions = length if length is not None and length < SANE_LENGTH else None
    elif config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer"):
        positions -= config.pad_token_id + 1
    if asked is None:
        return positions
    if asked < 3 or (positions is not None and asked > positions):
        raise InputError(f"--max-tokens {asked}: expected 3 to {positions or 'any number'}")
    return asked


def _short(config: Any) -> tuple[Tensor, Tensor]:
    ids = torch.arange(5, 9).remainder(config.vocab_size)[None]
    return ids, torch.ones_like(ids)
