"""Settings of `probes roles fit` on text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from probes.choices import Dtype, Pooling
from probes.errors import InputError

TEXT_SCHEMES = (
    *("bow", "bow+ltr", "bow+rtl", "bow+bi"),
    *("bow+wickel:upos", "bow+tree:parse"),
)
"""Each role scheme together with a bag of words, so that it need not learn a word anew in each of
its roles: with some thousand sentences, schemes alone lose to the bag that they contain."""


@dataclass(frozen=True, kw_only=True)
class RolesTextConfig:
    """Decompose the sentence encodings of every layer of a model into words in roles."""

    model: str
    """Folder with a Hugging Face model, or its name on the hub."""
    task: Any
    """A task of words and its options, such as conllu. Its labellings are what schemes look at:
    ask it for upos (Wickelroles, edits) and head or brackets (trees)."""
    out: str
    """Folder of the run: results, settings."""
    schemes: tuple[str, ...] = TEXT_SCHEMES
    """Role schemes; bow, with which the others are compared, is always among them. By default each
    of the others is fitted on top of it (bow+ltr)."""
    layers: str = "all"
    """Which layers: numbers and ranges such as 0-6, `final` (after the final norm), or all."""
    pooling: Pooling | None = None
    """From sub-tokens to a sentence's vector: by default the mean, of causal models the last."""
    additive: bool = True
    """Also fit a free vector for each filler-role pair: the most that a scheme could explain."""
    components: int = 50
    """How many leading components of the model's word-embedding table a filler is given by; of a
    narrower one, all."""
    shortest: int = 5
    """The fewest words of a sentence."""
    longest: int = 12
    """The most words: the roles of a scheme depend on the length."""
    pipeline: str | None = None
    """Name or folder of a spaCy pipeline that parses, where the task has no trees."""
    substitutions: int = 200
    """Test sentences whose encoding is replaced by its decomposition."""
    edits: int = 200
    """Test sentences in whose encoding one word is replaced by another of the same class."""
    alike: str | None = "upos"
    """The labelling in which a word and its replacement are alike; nothing for any words."""
    answers: str = "upos"
    """Where the model has no head of its own: the labelling whose value at a sentence's first word
    a linear head is fitted to read from the last layer."""
    revision: str | None = None
    """Commit, branch or tag of the model on the hub."""
    dtype: Dtype = "float32"
    """In which the model computes."""
    trust_remote_code: bool = False
    """Let code that comes with the model run."""
    store: str | None = None
    """Folder of activation stores; by default `store` beside the run's folder."""
    seed: int = 0
    """Of permuted roles, random targets, drawn sentences and edits, and resamples."""

    def __post_init__(self) -> None:
        if len(set(self.schemes)) < len(self.schemes):
            raise InputError(f"schemes {', '.join(self.schemes)}: one stands twice")
        for name in ("components", "substitutions", "edits"):
            least = 1 if name == "components" else 0
            if getattr(self, name) < least:
                raise InputError(f"{name} {getattr(self, name)}: expected {least} or more")
        if self.pooling == "max" and (self.substitutions or self.edits):
            raise InputError(
                "pooling 'max': a vector that is a maximum cannot be put back; choose mean, last, "
                "first or cls, or ask for no substitutions and no edits"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed {self.seed}: expected 0 to {2**32 - 1}")

    @property
    def with_bow(self) -> tuple[str, ...]:
        """The schemes, bow first."""
        return ("bow", *(name for name in self.schemes if name != "bow"))
