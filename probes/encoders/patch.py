"""Pooled vectors put back into a layer, and what the layers above make of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probes.choices import Pooling
from probes.encoders.batches import Batch
from probes.encoders.pooling import Segments, pool
from probes.encoders.text import TextEncoder
from probes.errors import InputError

BUDGET = 4096
"""Rows × tokens of a pass."""


class Patches:
    """Texts whose pooled vector at any layer can be replaced.

    Of a vector that is one token's state (``last``, ``first``, ``cls``) that state is replaced. Of
    a mean, every token that enters it is shifted by the same difference, so that the mean becomes
    what is put in.

    Parameters
    ----------
    encoder : TextEncoder
        Of one stack of blocks.
    texts : sequence of str
        No longer than the model allows.
    pooling : {"first", "last", "mean", "cls"}
        From a text's sub-tokens to its vector, as in `probes.states.extract` of a sentence task.
    shorten : bool
        Whether `run` leaves out what it need not compute, where the model can and gives the same
        (within 1e-4) on the first texts: the blocks below a layer, and, of a causal model and the
        last token, all other tokens, of which the keys and values are stored.

    Raises
    ------
    InputError
        If the pooling cannot be undone (max), the encoder has two stacks, or no sub-token covers a
        text.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pooling: Pooling,
        *,
        shorten: bool = True,
    ) -> None:
        if pooling == "max":
            raise InputError(
                "pooling 'max': a vector that is a maximum cannot be put back; choose mean, last, "
                "first or cls"
            )
        if encoder.inputs.decodes:
            raise InputError(
                f"the decoder of {encoder.name!r} reads its encoder beside it, which would still "
                "know the text; give --part encoder"
            )
        self.encoder, self.pooling, self.texts = encoder, pooling, list(texts)
        self._shorten = shorten
        spans = np.array([(0, len(text)) for text in texts], dtype=np.int64)
        plan = encoder.plan(
            self.texts,
            np.arange(len(texts), dtype=np.int64),
            spans,
            pooling=pooling,
            whole=True,
            budget=BUDGET,
        )
        if len(plan.lost):
            raise InputError(f"no sub-token covers the text {texts[int(plan.lost[0])]!r}")
        self._batches = plan.batches

    @cached_property
    def _prefixes(self) -> list[_Prefix]:
        return _prefixes(self.encoder, self._batches)

    @cached_property
    def _form(self) -> type | None:
        """In which form the blocks hand on their states; None where all of them are run."""
        form = _form_of_blocks(self.encoder, self.texts[0]) if self._shorten else None
        return form if form and self._agrees(False, form) else None

    @cached_property
    def uses_cache(self) -> bool:
        """Whether only the last token is computed again, beside stored keys and values."""
        can = self._shorten and self.pooling == "last" and self.encoder.is_causal
        can = can and not self.encoder.depends_on_length
        can = can and {"past_key_values", "use_cache"} <= self.encoder.inputs.accepted
        return can and self._agrees(True, self._form)

    def own(self, layers: Sequence[str]) -> dict[str, Tensor]:
        """Compute the texts' own vectors.

        Parameters
        ----------
        layers : sequence of str
            Some of the encoder's.

        Returns
        -------
        dict of str to Tensor of shape (n_texts, width), float32
            By layer.
        """
        found = {k: torch.empty(len(self.texts), self.encoder.widths[k]) for k in layers}
        for batch in self._batches:
            segments = batch.segments.reduced(self.pooling).to(self.encoder.device)
            states = self.encoder.hidden_states(self._texts_of(batch), layers)
            for layer, hidden in states.items():
                found[layer][batch.units] = pool(hidden, segments, self.pooling).float().cpu()
        return found

    def last(self) -> Tensor:
        """Compute the pooled last hidden state of the texts as they are.

        Returns
        -------
        Tensor of shape (n_texts, width), float32
            On the CPU.
        """
        top = "final" if "final" in self.encoder.layers else str(self.encoder.n_layers)
        return self.own([top])[top]

    def run(self, layer: str, vectors: Tensor) -> Tensor:
        """Put vectors in at a layer, and run the rest of the model.

        Parameters
        ----------
        layer : str
            One of the encoder's.
        vectors : Tensor of shape (n_variants, n_texts, width)
            What the pooled vector of each text becomes, in several variants.

        Returns
        -------
        Tensor of shape (n_variants, n_texts, width of the last hidden state), float32
            The last hidden state, pooled as the vectors are.
        """
        expected = (len(self.texts), self.encoder.widths[layer])
        if vectors.ndim != 3 or tuple(vectors.shape[1:]) != expected:
            raise InputError(
                f"vectors of shape {tuple(vectors.shape)} to be put in at layer {layer}; expected "
                f"(variants, {expected[0]}, {expected[1]})"
            )
        run = self._run_last if self.uses_cache else self._run_whole
        return run(layer, vectors, self._form)

    def _texts_of(self, batch: Batch) -> list[str]:
        return [self.texts[unit] for unit in batch.units.tolist()]

    def _run_whole(self, layer: str, vectors: Tensor, form: type | None) -> Tensor:
        result: Tensor | None = None
        for batch in self._batches:
            texts = self._texts_of(batch)
            hidden = self.encoder.hidden_states(texts, [layer])[layer]
            segments = batch.segments.reduced(self.pooling).to(self.encoder.device)
            own = pool(hidden, segments, self.pooling)
            for k, vector in enumerate(vectors[:, batch.units].to(own)):
                changed = _shifted(hidden, segments, vector - own)
                with _skipping(self.encoder, layer, form):
                    last = self.encoder.run_from(layer, changed, texts)
                pooled = pool(last, segments, self.pooling).float().cpu()
                if result is None:
                    result = torch.empty(len(vectors), len(self.texts), pooled.shape[-1])
                result[k, batch.units] = pooled
        assert result is not None  # a plan of some texts has some batches
        return result

    def _run_last(self, layer: str, vectors: Tensor, form: type | None) -> Tensor:
        parts = [prefix.run(layer, vectors[:, prefix.units], form) for prefix in self._prefixes]
        result = torch.empty(len(vectors), len(self.texts), parts[0].shape[-1])
        for prefix, part in zip(self._prefixes, parts, strict=True):
            result[:, prefix.units] = part
        return result

    def _agrees(self, use_cache: bool, form: type | None) -> bool:
        """Whether a shorter way gives what the whole pass gives, on a few texts and two layers."""
        few = Patches(self.encoder, self.texts[:4], self.pooling, shorten=False)
        layers = [str(self.encoder.n_layers // 2), str(self.encoder.n_layers)]
        for layer, own in few.own(layers).items():
            other = torch.stack([own, own.roll(1, 0), 0.5 * own])
            whole = few.run(layer, other)
            try:
                fast = (few._run_last if use_cache else few._run_whole)(layer, other, form)
            except (
                AttributeError,
                IndexError,
                NotImplementedError,
                RuntimeError,
                TypeError,
                ValueError,
            ):
                return False  # a family whose blocks or whose cache are of another kind
            if not (fast - whole).norm() <= 1e-4 * whole.norm():
                return False
        return True


@contextmanager
def _skipping(encoder: TextEncoder, layer: str, form: type | None) -> Iterator[None]:
    """Leave out the blocks below a layer at which all states are put in.

    They hand on what they get, in the form in which they give it; all are run where that is None.
    """
    below = []
    if form is not None and layer.isdigit():
        (blocks,) = encoder.blocks().values()
        below = blocks[: min(int(layer), len(blocks) - 1)]
    try:
        for block in below:
            block.forward = _hand_on if form is Tensor else _hand_on_alone
        yield
    finally:
        for block in below:
            del block.forward


def _hand_on(hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return hidden_states


def _hand_on_alone(hidden_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor]:
    return (hidden_states,)


def _form_of_blocks(encoder: TextEncoder, text: str) -> type | None:
    """Whether blocks give a tensor, or a tuple of one; None where they give more, or are shared."""
    (blocks,) = encoder.blocks().values()
    if len(blocks) != encoder.n_layers:
        return None
    seen: set[type | None] = set()

    def look(module: Any, args: Any, output: Any) -> None:
        alone = isinstance(output, tuple) and len(output) == 1
        seen.add(Tensor if isinstance(output, Tensor) else tuple if alone else None)

    handles = [block.register_forward_hook(look) for block in blocks]
    try:
        encoder.hidden_states([text], [encoder.layers[-1]])
    finally:
        for handle in handles:
            handle.remove()
    return seen.pop() if len(seen) == 1 else None


def _shifted(hidden: Tensor, segments: Segments, difference: Tensor) -> Tensor:
    """Add to each position of a segment the segment's difference."""
    flat = hidden.reshape(-1, hidden.shape[-1]).clone()
    each = torch.repeat_interleave(difference, segments.lengths, dim=0)
    flat[segments.positions] += each.to(flat.dtype)
    return flat.reshape(hidden.shape)


class _Prefix:
    """Texts of equal length up to the token that is read.

    Parameters
    ----------
    encoder : TextEncoder
        Causal.
    ids : Tensor of shape (n_texts, n_tokens)
        The token that is read is the last.
    units : Tensor of shape (n_texts,)
        Which texts they are.
    """

    def __init__(self, encoder: TextEncoder, ids: Tensor, units: Tensor) -> None:
        self._encoder, self._ids, self.units = encoder, ids, units
        self._past: Any = None

    def run(self, layer: str, states: Tensor, form: type | None) -> Tensor:
        """Run the last token of each row, with states put in at a layer.

        States are of shape (variants, texts, width), and so is what is returned.
        """
        n_variants, n_texts, width = states.shape
        model = self._encoder.model
        put = states.transpose(0, 1).reshape(-1, 1, width)
        put = put.to(self._encoder.device, next(model.parameters()).dtype)
        if layer != "final":
            rows = self._ids.repeat_interleave(n_variants, dim=0)
            inputs = self._encoder.inputs(rows[:, -1:], torch.ones_like(rows))
            with torch.inference_mode():
                if (past := self._stored()) is not None:
                    past.batch_repeat_interleave(n_variants)
                    inputs |= {"past_key_values": past, "use_cache": True}
                with _skipping(self._encoder, layer, form):
                    put = self._encoder.reader.run_from(inputs, layer, put)
        return put.reshape(n_texts, n_variants, -1).transpose(0, 1).float().cpu()

    def _stored(self) -> Any:
        """Give a copy, which a pass may write into, of the keys and values before the token."""
        if self._ids.shape[1] == 1:
            return None
        if self._past is None:
            before = self._ids[:, :-1]
            inputs = self._encoder.inputs(before, torch.ones_like(before))
            self._past = self._encoder.model(**inputs | {"use_cache": True}).past_key_values
        return copy.deepcopy(self._past)


def _prefixes(encoder: TextEncoder, batches: Sequence[Batch]) -> list[_Prefix]:
    """Cut each row behind the token that is read, since what follows is not seen by it."""
    found = []
    for batch in batches:
        width = batch.input_ids.shape[1]
        at = batch.segments.reduced("last").positions
        rows, columns = at // width, at % width
        for column in columns.unique().tolist():
            here = columns == column
            ids = batch.input_ids[rows[here], : column + 1]
            found.append(_Prefix(encoder, ids, batch.units[here]))
    return found
