"""A Hugging Face text model as features to be trained: the last layer, pooled over a text."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from torch import Tensor, nn

from probes.encoders.batches import Plan, plan_batches, require_short
from probes.encoders.encoder import LayerReader
from probes.encoders.features import SETTINGS
from probes.encoders.load import load_model
from probes.encoders.parts import (
    Inputs,
    most_tokens,
    number_of_ids,
    part_of,
    rope_depends_on_length,
)
from probes.encoders.stems import ends_of
from probes.encoders.text_pairs import lay_out, require_pairs, require_short_pairs
from probes.encoders.tokens import Tokens
from probes.errors import InputError, unknown
from probes.files import write_whole

TextPooling = Literal["cls", "mean", "last"]
"""From a text's sub-tokens to its feature."""

ALL = 1 << 40
"""A budget of tokens that no batch reaches: what is collated is one batch."""


class TextFeatures:
    """A pretrained text model with one pooled vector a text, or a pair, which may be trained.

    Use `from_pretrained`. Satisfies `probes.encoders.features.Features`; the vectors are those of
    `probes.encoders.TextEncoder` at its last layer.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Without a head, as ``AutoModel`` gives it, in float32. Of an encoder-decoder the encoder
        is read.
    tokenizer : transformers.PreTrainedTokenizerBase
        With any backend.
    name : str
        What a message calls the model.
    pooling : {"cls", "mean", "last"}, optional
        By default the mean, and the last sub-token of a causal model.
    max_length : int, optional
        The most sub-tokens of a text, or of a pair; longer ones are cut. Without it they are
        refused.

    Attributes
    ----------
    module : torch.nn.Module
        What is run and trained.
    width : int
        Of a feature.
    pooling : {"cls", "mean", "last"}
        As chosen.
    """

    kind: Literal["text"] = "text"

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        pooling: TextPooling | None = None,
        max_length: int | None = None,
    ) -> None:
        if pooling is not None and pooling not in get_args(TextPooling):
            raise unknown("pooling of a text", pooling, get_args(TextPooling))
        self._whole, self._tokenizer, self._name = model, tokenizer, name
        self.module, stacks = part_of(model, None, name)
        if rope_depends_on_length(self.module.config.get_text_config()):
            raise InputError(
                f"the vectors of {name!r} depend on the longest text of a batch (its rotary "
                "embeddings change with the length), so batches cannot be trained on; give another"
            )
        self.module.eval().requires_grad_(False)
        n_ids = number_of_ids(self.module)
        trials = self._inputs(torch.device("cpu")).trials(n_ids)
        reader = LayerReader(self.module, stacks, *trials)
        reader.release()
        self._path = reader.semantics["blocks"]
        with torch.inference_mode():
            self._stem, self._top = ends_of(
                self.module, reader.blocks[""], lambda: self.module(**trials[0])
            )
        self.width = reader.widths[reader.names[-1]]
        self._is_causal = reader.is_causal
        self._tokens = Tokens(tokenizer, name=name, n_ids=n_ids, is_causal=reader.is_causal)
        self._max_length = max_length
        self._limit = most_tokens(self.module, tokenizer, max_length)
        pad = tokenizer.pad_token_id
        self._pad_id = pad if pad is not None and pad < n_ids else 0  # it is masked
        default: TextPooling = "last" if reader.is_causal else "mean"
        self.pooling: TextPooling = pooling or default
        # GPT-2 accepts types, and would add the embeddings of words 0 and 1 for them.
        self._has_types = getattr(self.module.config, "type_vocab_size", 0) > 1

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        pooling: TextPooling | None = None,
        max_length: int | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
    ) -> Self:
        """Load a model from a folder, or by its name on the Hugging Face hub.

        Parameters
        ----------
        name : str
            A folder with ``config.json``, or a name such as ``"bert-base-uncased"``.
        pooling, max_length
            As in the class.
        revision : str, optional
            Commit, branch or tag on the hub.
        trust_remote_code : bool
            Whether code that comes with the model may run. Off unless asked.

        Returns
        -------
        TextFeatures
            In evaluation mode, float32.

        Raises
        ------
        InputError
            If there is no such model, it is not a text model, its checkpoint lacks some of the
            weights, or an option does not fit it.
        """
        where = {"revision": revision, "trust_remote_code": trust_remote_code}
        model, tokenizer, _ = load_model(name, where, dtype="float32")
        return cls(model, tokenizer, name=name, pooling=pooling, max_length=max_length)

    def collate(self, items: Sequence[Any]) -> dict[str, Tensor]:
        """Cut texts into sub-tokens and lay them out as one batch, padded on the right.

        Parameters
        ----------
        items : sequence of str, or of (str, str)
            At least one. A pair is joined as the tokenizer joins pairs; the mean is over all
            sub-tokens of both texts that are not special.

        Returns
        -------
        dict of str to Tensor
            ``input_ids`` and ``attention_mask``, int64 of shape (n, tokens); of pairs also
            ``token_type_ids``, where the model has such types; ``pooled``, bool of the same shape:
            the positions that a feature is the mean of; ``cut``, bool of shape (n,): the texts or
            pairs that were longer. Of a pair the longer text is cut first.

        Raises
        ------
        InputError
            If a text or pair is longer than the model allows and no ``max_length`` is set, a text
            has no sub-tokens, or single texts stand among pairs.
        """
        if any(isinstance(item, tuple) for item in items):
            return self._collate_pairs(items)
        texts = [str(item) for item in items]
        plan = self._plan(texts)
        if len(plan.lost):
            raise InputError(
                f"the text {texts[int(plan.lost[0])][:60]!r} has no sub-tokens; leave it out"
            )
        (batch,) = plan.batches
        segments = batch.segments.reduced(self.pooling)
        pooled = torch.zeros(batch.input_ids.numel(), dtype=torch.bool)
        pooled[segments.positions] = True
        place = torch.argsort(batch.units)
        cut = torch.zeros(len(texts), dtype=torch.bool)
        cut[torch.from_numpy(plan.cut)] = True
        return {
            "input_ids": batch.input_ids[place],
            "attention_mask": batch.attention_mask[place],
            "pooled": pooled.view_as(batch.input_ids)[place],
            "cut": cut,
        }

    def _collate_pairs(self, items: Sequence[Any]) -> dict[str, Tensor]:
        pairs = require_pairs(items)
        joined = self._tokens.join(pairs)
        cut = torch.zeros(len(pairs), dtype=torch.bool)
        if self._limit is not None:
            if self._max_length is None:
                require_short_pairs(pairs, joined, self._limit)
            cut = torch.tensor([len(pair.ids) > self._limit for pair in joined])
            joined = [pair.cut(self._limit) for pair in joined]
        batch = lay_out(
            joined, self.pooling, pad_id=self._pad_id, leave_out_first=self._leaves_out_first
        )
        if not self._has_types:
            del batch["token_type_ids"]
        return {**batch, "cut": cut}

    @property
    def _leaves_out_first(self) -> bool:
        """Whether position 0 holds a sub-token of the text that sees nothing but itself."""
        bare = self._is_causal and self._tokens.beginning == "none"
        return bare and self.pooling == "mean"

    def _plan(self, texts: Sequence[str]) -> Plan:
        pieces = self._tokens.pieces(texts)[0]
        if self._max_length is None and self._limit is not None:
            advice = f"set max_length to {self._limit}, and the end of longer texts is left out"
            require_short(texts, pieces.lengths, self._limit, advice=advice)
        return plan_batches(
            texts,
            pieces,
            np.arange(len(texts)),
            np.array([(0, len(text)) for text in texts], dtype=np.int64),
            pooling=self.pooling,
            limit=self._limit,
            truncation="error" if self._max_length is None else "truncate",
            budget=ALL,
            pad_id=self._pad_id,
            is_causal=self._is_causal,
            leave_out_first=self._leaves_out_first,
        )

    def _inputs(self, device: torch.device) -> Inputs:
        return Inputs(self.module, name=self._name, decodes=False, device=device)

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute the features of a batch.

        Parameters
        ----------
        batch : mapping of str to Tensor
            As `collate` lays it out, on any device.

        Returns
        -------
        Tensor of shape (n, width)
            On the module's device, with gradients where these are enabled.
        """
        device = next(self.module.parameters()).device
        types = {"token_type_ids": batch["token_type_ids"]} if "token_type_ids" in batch else {}
        inputs = self._inputs(device)(batch["input_ids"], batch["attention_mask"], **types)
        hidden: Tensor = self.module(**inputs).last_hidden_state
        pooled = batch["pooled"].to(device, hidden.dtype)
        total = (pooled[:, None] @ hidden).squeeze(1)
        return total / pooled.sum(1, keepdim=True)

    def blocks(self) -> list[nn.Module]:
        """List the embeddings, as one part, the blocks from the lowest upwards, and what follows.

        What follows the last block, such as a final norm, is a part where it has weights.
        """
        blocks: Any = self.module.get_submodule(self._path)
        ends = [
            nn.ModuleList(self.module.get_submodule(name) for name in names)
            for names in (self._stem, self._top)
        ]
        return [ends[0], *blocks, *(ends[1:] if self._top else ())]

    def copy(self) -> Self:
        """Make a deep copy; the tokenizer, which nothing changes, is shared."""
        twin = copy.copy(self)
        twin._whole = copy.deepcopy(self._whole)
        twin.module, _ = part_of(twin._whole, None, self._name)
        return twin

    def save(self, folder: Path) -> None:
        """Write configuration, weights and tokenizer, as plain transformers reads them.

        Parameters
        ----------
        folder : Path
            Made if it is not there.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._whole.save_pretrained(folder, max_shard_size="10TB")  # one file, always
        self._tokenizer.save_pretrained(folder)
        write_whole(folder / SETTINGS, (json.dumps(self.settings(), indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : Path
            Of `save`.

        Returns
        -------
        TextFeatures
            In evaluation mode.

        Raises
        ------
        InputError
            If the folder holds none, or it is damaged.
        """
        path = Path(folder) / SETTINGS
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            pooling, max_length = about["pooling"], about["max_length"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} holds no features of texts ({error})") from None
        return cls.from_pretrained(str(folder), pooling=pooling, max_length=max_length)

    def settings(self) -> dict[str, Any]:
        """Give kind, pooling and length."""
        return {"kind": self.kind, "pooling": self.pooling, "max_length": self._max_length}
