"""What reads the last hidden state of a causal language model: its own head, on any states."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import Tensor, nn

from probes.choices import Dtype
from probes.encoders.load import load_config, load_model
from probes.encoders.text import TextEncoder
from probes.errors import InputError


class LanguageModelHead:
    """The head of a causal language model, on last hidden states that are given.

    What a family does between its last hidden state and its logits (a bias, scaling, a cap) is its
    own code: the model with its head is run with a body that hands over the given states.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        With a head, as ``AutoModelForCausalLM`` gives it. It loses its body, which stays with the
        encoder that was made of it.

    Raises
    ------
    InputError
        If the model with the given states has other logits than the model by itself.
    """

    def __init__(self, model: Any) -> None:
        self._model = model.eval().requires_grad_(False)
        ids = torch.tensor([[5, 6, 7]], device=model.device).remainder(model.config.vocab_size)
        with torch.inference_mode():
            wanted = model(input_ids=ids, use_cache=False).logits
            output = model.base_model(input_ids=ids, use_cache=False)
        setattr(model, model.base_model_prefix, _Given(type(output)))
        difference = (self(output.last_hidden_state).to(wanted.device) - wanted).norm()
        if not difference <= 1e-5 * wanted.norm():
            raise InputError(
                f"{type(model).__name__}: its head gives other logits for its last hidden state "
                "than the whole model does; this family is not supported"
            )

    def __call__(self, states: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        states : Tensor of shape (…, width)
            Last hidden states.

        Returns
        -------
        Tensor of shape (…, n_ids)
            Of the next token; not normalised.
        """
        rows = states.reshape(1, -1, states.shape[-1])
        body: _Given = self._model.base_model
        body.states = rows.to(self._model.device)
        ids = torch.zeros(rows.shape[:2], dtype=torch.int64, device=self._model.device)
        with torch.inference_mode():
            logits: Tensor = self._model(input_ids=ids, use_cache=False).logits
        body.states = None
        return logits.reshape(*states.shape[:-1], logits.shape[-1])


class _Given(nn.Module):
    """A body that hands over the states it holds, in its family's form, whatever it is asked."""

    def __init__(self, form: Any) -> None:
        super().__init__()
        self.states: Tensor | None = None
        self._form = form

    @property
    def decoder(self) -> _Given:
        """Itself: OPT's head asks the decoder within the body."""
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._form(last_hidden_state=self.states)


def has_head(config: Any) -> bool:
    """Whether a checkpoint was saved from a causal language model with its head."""
    cls: Any = transformers.MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return cls is not None and cls.__name__ in (config.architectures or ())


def load_with_head(
    name: str,
    *,
    revision: str | None = None,
    dtype: Dtype = "float32",
    trust_remote_code: bool = False,
) -> tuple[TextEncoder, LanguageModelHead | None]:
    """Load an encoder, and the language-model head of its checkpoint where there is one.

    Parameters
    ----------
    name, revision, dtype, trust_remote_code
        As `TextEncoder.from_pretrained`.

    Returns
    -------
    encoder : TextEncoder
        As `TextEncoder.from_pretrained` gives it: of the same fingerprint.
    head : LanguageModelHead or None
        It shares its weights with the encoder where the checkpoint ties them.

    Raises
    ------
    InputError
        As `TextEncoder.from_pretrained`, and where the head cannot be run by itself.
    """
    where = {"revision": revision, "trust_remote_code": trust_remote_code}
    with_head = has_head(load_config(name, where))
    model, tokenizer, found = load_model(name, where, dtype=dtype, with_head=with_head)
    body = model.base_model if with_head else model
    encoder = TextEncoder(body, tokenizer, name=name, revision=found)
    return encoder, LanguageModelHead(model) if with_head else None
