"""Hugging Face text models as layer-wise encoders."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from probes.choices import Dtype, Part, Pooling, TextPooling, Truncation
from probes.encoders.align import Ints, Pieces
from probes.encoders.batches import Batch, Plan, plan_batches
from probes.encoders.encoder import LayerReader
from probes.encoders.fingerprint import model_fingerprint, tokenizer_fingerprint, weights_digest
from probes.encoders.load import load_model
from probes.encoders.parts import (
    Inputs,
    most_tokens,
    number_of_ids,
    part_of,
    rope_depends_on_length,
)
from probes.encoders.pooling import pool
from probes.encoders.tokens import Tokens
from probes.errors import InputError, unknown

CONTRACT = "1"
"""Of alignment and pooling; a change that moves a vector raises it, and old stores are not read."""


class TextEncoder:
    """A pretrained text model, read layer by layer.

    Use `from_pretrained`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Without a head, as ``AutoModel`` gives it.
    tokenizer : transformers.PreTrainedTokenizerBase
        With any backend.
    name, revision : str
        What a result calls the model.
    weights : str
        Digest of the weights, or how they were drawn.
    device : torch.device or str
        Where to compute.
    max_tokens : int, optional
        The most tokens a text may have; by default what the model's positions allow.
    part : {"encoder", "decoder", "both"}, optional
        Which half of an encoder-decoder is read; by default its encoder. The decoder reads the
        same text as the encoder, and sees it.
    is_causal : bool, optional
        What another encoder of the same architecture found; by default it is tried.

    Attributes
    ----------
    layers : tuple of str
        ``"0"`` … ``str(n_layers)``, and ``"final"`` where a norm follows the last block; after
        ``"encoder."`` and ``"decoder."`` where both are read.
    widths : dict of str to int
        Width of each layer.
    is_causal : bool
        Whether a state sees only what stands before it.
    tokens : Tokens
        How texts are cut into sub-tokens, and where these stand.
    model : torch.nn.Module
        What is run: of an encoder-decoder the encoder alone, where it alone is read.
    reader : LayerReader
        Runs it, layer by layer.
    inputs : Inputs
        Lays out its keyword arguments.
    depends_on_length : bool
        Whether a row's vectors depend on the longest row of its batch (rotary embeddings that
        change with the length): texts are then never batched with others.
    semantics : dict
        What the layers are, and in which of them the model's own ``hidden_states`` differ.
    fingerprint : dict of str to str
        What decides a vector, as far as the model goes; the key of an activation store.
    """

    kind: ClassVar[Literal["text"]] = "text"

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
        part: Part | None = None,
        is_causal: bool | None = None,
    ) -> None:
        self.name = name
        self.revision = revision
        self.tokenizer = tokenizer
        module, stacks = part_of(model, part, name)
        self.config = module.config.get_text_config()
        self.digest = weights or weights_digest(module)
        self.device = torch.device(device)
        self.model = module.to(self.device).eval().requires_grad_(False)
        self.inputs = Inputs(
            module, name=name, decodes=part in ("decoder", "both"), device=self.device
        )
        n_ids = number_of_ids(module)
        trials = self.inputs.trials(n_ids)
        self.reader = LayerReader(self.model, stacks, *trials)
        self.n_layers = self.reader.n_layers
        self.is_causal = self.reader.is_causal if is_causal is None else is_causal
        self.layers = self.reader.names
        self.widths = self.reader.widths
        self.semantics = self.reader.semantics
        self.depends_on_length = rope_depends_on_length(self.config)
        # Such a model writes its frequencies down in each pass: one at a time.
        self._turn: Any = threading.Lock() if self.depends_on_length else nullcontext()
        self.tokens = Tokens(tokenizer, name=name, n_ids=n_ids, is_causal=self.is_causal)
        self.max_tokens = most_tokens(
            module, tokenizer, max_tokens, n_before=int(self.inputs.decodes)
        )
        pad = tokenizer.pad_token_id
        self.pad_id = pad if pad is not None and pad < n_ids else 0  # it is masked
        self.dtype = str(next(self.model.parameters()).dtype).removeprefix("torch.")
        special = {"pad": self.pad_id, "start": self.inputs.start if self.inputs.decodes else None}
        self.fingerprint = {
            "weights": self.digest,
            **model_fingerprint(module),
            **tokenizer_fingerprint(tokenizer, special),
            "part": part or ("encoder" if model.config.is_encoder_decoder else "whole"),
            "layers": str(self.semantics),
            "position 0": self.tokens.beginning,
            "alignment": f"{self.tokens.aligner.method}, version {CONTRACT}",
        }

    @property
    def default_pooling(self) -> TextPooling:
        """Mean, or last where the last sub-token alone has seen the whole unit."""
        return "last" if self.is_causal else "mean"

    def blocks(self) -> dict[str, list[nn.Module]]:
        """Give the blocks of each stack, by the prefix of its layers' names."""
        return self.reader.blocks

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
        part: Part | None = None,
        is_causal: bool | None = None,
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
        part : {"encoder", "decoder", "both"}, optional
            Which half of an encoder-decoder is read; by default its encoder.
        is_causal : bool, optional
            What another encoder of the same architecture found; by default it is tried.

        Returns
        -------
        TextEncoder
            In evaluation mode.

        Raises
        ------
        InputError
            If there is no such model, it is not a text model, or its checkpoint lacks some of the
            weights.
        """
        model, tokenizer, revision = load_model(
            name,
            {"revision": revision, "trust_remote_code": trust_remote_code},
            dtype=dtype,
            attention=attention,
            random_weights=random_weights,
            decodes=part in ("decoder", "both"),
        )
        return cls(
            model,
            tokenizer,
            name=name,
            revision=revision,
            device=device,
            max_tokens=max_tokens,
            part=part,
            is_causal=is_causal,
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
            With special tokens as the tokenizer adds them; before the text of a causal model
            stands its beginning-of-sequence token, where it has one.
        """
        return self.tokens.pieces(texts)[0]

    def plan(
        self,
        texts: Sequence[str],
        text_index: Ints,
        spans: Ints,
        *,
        pooling: Pooling,
        whole: bool = False,
        truncation: Truncation = "error",
        stride: int | None = None,
        budget: int = 1024,
        first_text: int = 0,
    ) -> Plan:
        """Lay out the forward passes over some texts.

        Parameters
        ----------
        whole : bool
            Whether the units are whole texts: the mean of a causal model leaves position 0 out
            where the text itself begins there (`leaves_out_first`).
        texts, text_index, spans, pooling, truncation, stride, budget, first_text
            As `plan_batches`.

        Returns
        -------
        Plan
            Its batches, and what is lost or cut.
        """
        pieces, n_mended = self.tokens.pieces(texts)
        plan = plan_batches(
            texts,
            pieces,
            text_index,
            spans,
            pooling=pooling,
            limit=self.max_tokens,
            truncation=truncation,
            stride=stride,
            budget=budget,
            pad_id=self.pad_id,
            first_text=first_text,
            is_causal=self.is_causal,
            leave_out_first=whole and self.leaves_out_first(pooling),
        )
        return dataclasses.replace(plan, n_mended=n_mended)

    def leaves_out_first(self, pooling: Pooling) -> bool:
        """Whether the pooling of whole texts leaves position 0 out.

        It does where the model is causal and nothing stands before the text: such a state has seen
        its own token alone, and often is an attention sink of great norm.
        """
        bare = self.is_causal and self.tokens.beginning == "none"
        return bare and pooling in ("mean", "max")

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
        rows, width = len(batch.units), batch.input_ids.shape[1]
        later = segments.after_start(width) if self.inputs.decodes else segments

        def pooled(name: str, hidden: Tensor) -> None:
            of = segments if hidden.shape[1] == width else later
            sink(name, pool(hidden, of, pooling).reshape(rows, -1))

        with self._running():
            self.reader.read(self.inputs(batch.input_ids, batch.attention_mask), layers, pooled)

    @contextmanager
    def _running(self) -> Iterator[None]:
        with torch.inference_mode(), self._turn:
            yield

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
            Padding included; those of a decoder begin with its start token.
        """
        return self.states_of(*self.pad(texts), layers)

    def pad(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Cut texts into sub-tokens, and pad them on the right; as `Tokens.pad`."""
        return self.tokens.pad(texts, self.pad_id, self.max_tokens)

    def states_of(
        self, ids: Tensor, mask: Tensor, layers: Sequence[str], **extra: Tensor
    ) -> dict[str, Tensor]:
        """Compute whole layers of rows of token ids.

        Parameters
        ----------
        ids, mask : Tensor of shape (rows, tokens), int64
            Token ids, and 1 where there is one, padded on any side.
        layers : sequence of str
            Some of `layers`.
        **extra : Tensor
            What else the model is given, such as ``position_ids``.

        Returns
        -------
        dict of str to Tensor of shape (rows, tokens, width)
            Copies.
        """
        found: dict[str, Tensor] = {}
        with self._running():
            self.reader.read(
                self.inputs(ids, mask, **extra), layers, lambda n, h: found.update({n: h.clone()})
            )
        return found

    def run_from(self, layer: str, states: Tensor, texts: Sequence[str]) -> Tensor:
        """Put states in at a layer, and run the rest of the model.

        Parameters
        ----------
        layer : str
            One of `layers`.
        states : Tensor of shape (n_texts, n_tokens, width)
            As `hidden_states` gives them, changed or not.
        texts : sequence of str
            Decide positions and masks, and in an encoder-decoder the other half.

        Returns
        -------
        Tensor of shape (n_texts, n_tokens, width)
            The model's last hidden state: bit for bit its own, if the states are.

        Raises
        ------
        InputError
            If there is no such layer, or the states have another shape than its own.
        """
        if layer not in self.layers:
            raise unknown("layer", layer, self.layers)
        ids, mask = self.pad(texts)
        shape = (len(texts), ids.shape[1], self.widths[layer])
        if self.inputs.decodes and not layer.startswith("encoder."):
            shape = (shape[0], shape[1] + 1, shape[2])
        if tuple(states.shape) != shape:
            raise InputError(
                f"states of shape {tuple(states.shape)} for layer {layer}; these texts give {shape}"
            )
        if layer in ("final", "decoder.final"):
            return states
        inputs, states = self.inputs(ids, mask), states.to(self.device)
        with self._running():
            if layer == "encoder.final":
                given = BaseModelOutput(last_hidden_state=states)
                output = self.model(**inputs, encoder_outputs=given, return_dict=True)
                last: Tensor = output.last_hidden_state
                return last
            return self.reader.run_from(inputs, layer, states)
