"""Settings of a command: one dataclass, filled from YAML and flags, saved with the run."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import xxhash
import yaml

from probes.choices import Dtype, Lost, Part, Pooling, StoreDtype, Truncation, Unseen
from probes.errors import InputError, unknown

LEAST_PENALTY = 1e-12
"""Below it a separable layer's solution runs off, and takes minutes to."""
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
MOST_DRAWS = 1000  # each is a label for every unit, held in memory

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """Probe every layer of a model, with controls, intervals and a report."""

    model: str
    """Folder with a Hugging Face model, or its name on the hub; of images also
    python:FILE.py:FUNCTION, which runs that function to make a network."""
    task: Any
    """Which task, and its options (`probes tasks` lists them)."""
    out: str
    """Folder of the run: results, predictions, report."""
    layers: str = "all"
    """Which layers: numbers and ranges such as 0-6, `final` (after the final norm), or all."""
    revision: str | None = None
    """Commit, branch or tag of the model on the hub."""
    dtype: Dtype = "float32"
    """In which the model computes."""
    attention: str | None = None
    """Attention implementation, as transformers names them."""
    trust_remote_code: bool = False
    """Let code that comes with the model run."""
    part: Part | None = None
    """Of an encoder-decoder, which half is read: encoder (the default), decoder, or both. The
    decoder reads the same text as the encoder, and sees it."""
    max_tokens: int | None = None
    """The most sub-tokens a text may have; by default what the model's positions allow."""
    truncation: Truncation = "error"
    """A longer text: refuse it, cover it with overlapping windows, or keep its beginning."""
    stride: int | None = None
    """By how many sub-tokens a window stands after the one before it; by default half a window."""
    lost: Lost = "error"
    """A unit that no sub-token covers: refuse it, or leave it out, counted."""
    pooling: Pooling | None = None
    """From sub-tokens to a unit; by default the mean, and the last for causal models. From the
    positions of an image: patch (the default: the mean over its patches), mean (special tokens
    too), or cls (the special token before them)."""
    store: str | None = None
    """Folder of activation stores; by default `store` beside the run's folder."""
    store_dtype: StoreDtype = "float32"
    """In which vectors are stored."""
    deterministic: bool = False
    """Encode each text or image in a batch of its own, so that no other enters, not even by
    rounding."""
    penalties: tuple[float, ...] = PENALTIES
    """L2 penalties per mean loss, of which dev chooses one; extended where it chooses an edge."""
    unseen: Unseen = "wrong"
    """A class that the training split lacks: counts as wrong, is an error, or is left out."""
    draws: int = 5
    """Number of draws of the control task."""
    random_model: bool = True
    """Also probe the same architecture with random weights."""
    seed: int = 0
    """Of control tasks, random weights and resamples."""

    def __post_init__(self) -> None:
        if not self.penalties or not all(LEAST_PENALTY <= p < math.inf for p in self.penalties):
            raise InputError(
                f"penalties {self.penalties}: expected at least one, all positive, "
                f"{LEAST_PENALTY:g} or more"
            )
        if len(set(self.penalties)) < len(self.penalties):
            raise InputError(f"penalties {self.penalties}: one stands twice")
        if self.stride is not None and self.truncation != "window":
            raise InputError(f"stride {self.stride}: it is of windows; choose --truncation window")
        if self.stride is not None and self.stride < 1:
            raise InputError(f"stride {self.stride}: expected 1 or more")
        if not 0 <= self.draws <= MOST_DRAWS:
            raise InputError(f"draws {self.draws}: expected 0 (no control task) to {MOST_DRAWS:,}")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed {self.seed}: expected 0 to {2**32 - 1}")


@dataclass(frozen=True, kw_only=True)
class RolesProbeConfig(ProbeConfig):
    """Probe every layer of a model for the roles of words, with controls, intervals and a report.

    The task's labellings of words are what role schemes look at: its parts of speech, say, and its
    heads or brackets, of which trees are made.
    """

    schemes: tuple[str, ...] = (
        *("ltr", "rtl", "bi"),
        *("previous:upos", "next:upos"),
        *("tree:parse", "bow"),
    )
    """Role schemes, a labelling each: ltr, rtl and bi (places); previous and next, or wickel (both
    at once), with the labelling that they look at; tree:parse (of the task's heads or brackets),
    tree:random and the like; bow (constant); products such as ltr*next:upos."""
    shortest: int = 5
    """The fewest words of a text that is asked about."""
    longest: int = 12
    """The most words: places mean another thing in long texts, and rare ones cannot be learnt."""
    pipeline: str | None = None
    """Name or folder of a spaCy pipeline that parses, where the task has no trees."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.schemes:
            raise InputError("no role scheme is asked for; give at least one, such as ltr")
        for name in self.schemes:
            if self.schemes.count(name) > 1:
                raise InputError(f"the role scheme {name!r} stands twice; give each once")


@dataclass(frozen=True, kw_only=True)
class DoctorConfig:
    """Examine a model: the contract of correctness, clause by clause."""

    file: str | None = None
    """Your own texts, to be aligned and measured too: one a line, or CoNLL-U. For a vision model an
    image, or a folder of them."""
    store: str = "runs/store"
    """Folder of activation stores; the verdict is kept there, and goes with every run that uses
    the model."""
    json: bool = False
    """Print JSON in place of the table."""
    revision: str | None = None
    """Commit, branch or tag of the model on the hub."""
    dtype: Dtype = "float32"
    """In which the model computes."""
    attention: str | None = None
    """Attention implementation, as transformers names them."""
    trust_remote_code: bool = False
    """Let code that comes with the model run."""
    part: Part | None = None
    """Of an encoder-decoder, which half is read."""
    max_tokens: int | None = None
    """The most sub-tokens a text may have; by default what the model's positions allow."""


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a configuration file.

    Parameters
    ----------
    path : str or Path
        Of YAML with one mapping.

    Returns
    -------
    dict
        By key.

    Raises
    ------
    InputError
        If it is not there, is no YAML, holds no mapping, or a key twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no configuration file {path}; check the path after --config")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # !!int x; ? [a]
        first = " ".join(str(error).split())
        raise InputError(f"{path} is no YAML: {first}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no keys; expected lines such as `model: bert-base-uncased`")
    return content


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice, and reads 1e-3 as a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key!r} stands twice (line {line})")
        return super().construct_mapping(node, deep=deep)


def fill(cls: type[T], values: dict[str, Any], where: str, *, partial: Any = None) -> T:
    """Make a dataclass of values that came from outside, strictly.

    Parameters
    ----------
    cls : type
        The dataclass; a field that is a dataclass itself takes a mapping.
    values : dict
        By field name (``-`` may stand for ``_``).
    where : str
        Names the source in a complaint.
    partial : object, optional
        What stands for a required field that is not given; an error by default.

    Returns
    -------
    object
        Of `cls`.

    Raises
    ------
    InputError
        If a key is unknown (with the nearest one), a value has the wrong type, or a required field
        is missing.
    """
    require_keys(cls, values, where)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    given: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        given[name] = _converted(hints[name], value, f"{where}, key {key!r}", partial)
    for name, f in fields.items():
        optional = f.default is not dataclasses.MISSING or (
            f.default_factory is not dataclasses.MISSING
        )
        if name not in given and not optional:
            if partial is None:
                raise InputError(f"{where} lacks the key {name!r}")
            given[name] = partial
    try:
        return cls(**given)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def require_keys(cls: type, values: dict[str, Any], where: str) -> None:
    """Refuse keys that are no fields of a dataclass.

    Parameters
    ----------
    cls, values, where
        As in `fill`.

    Raises
    ------
    InputError
        If a key is unknown (with the nearest one), or stands there with ``-`` and with ``_``.
    """
    known = [f.name for f in dataclasses.fields(cls) if f.init]
    names: set[str] = set()
    for key in values:
        name = str(key).replace("-", "_")
        if name not in known:
            raise unknown(f"key in {where}:", str(key), known)
        if name in names:
            raise InputError(f"{where}: the key {name!r} stands twice, with - and with _")
        names.add(name)


def _converted(hint: Any, value: Any, where: str, partial: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise InputError(f"{where}: expected keys with values, came {value!r}")
        return fill(hint, value, where, partial=partial)
    if typing.get_origin(hint) is tuple and isinstance(value, (str, int, float)):
        value = [value]  # a single value for a list, as `field: upos`
    if isinstance(value, str) and _takes_float(hint):
        value = float(value) if _is_number(value) else value  # YAML reads 1e-3 as a string
    if typing.get_origin(hint) is tuple and isinstance(value, list) and _takes_float(hint):
        value = [float(v) if isinstance(v, str) and _is_number(v) else v for v in value]
    try:
        return pydantic.TypeAdapter(hint).validate_json(_json(value), strict=True)
    except (ValueError, TypeError) as error:
        reason = "write it in quotes"  # a date, or something else that JSON has no name for
        if isinstance(error, pydantic.ValidationError):
            reason = error.errors()[0]["msg"]
        elif isinstance(error, ValueError):
            reason = str(error)  # an alias that holds itself
        raise InputError(f"{where}: came {value!r}; {reason}") from None


def _json(value: Any) -> str:
    """Write a value as JSON, so that lists are read as tuples and nothing else is coerced."""
    import json

    return json.dumps(value)


def _takes_float(hint: Any) -> bool:
    if hint is float:
        return True
    if typing.get_origin(hint) in (tuple, typing.Union, types.UnionType):
        return any(_takes_float(arg) for arg in typing.get_args(hint))
    return False


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def to_yaml(config: Any) -> str:
    """Write a resolved configuration, every field of it.

    Parameters
    ----------
    config : dataclass
        Of settings.

    Returns
    -------
    str
        YAML that `fill` reads back to an equal one.
    """
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)


def identity(config: Any) -> dict[str, Any]:
    """Lay out what decides a run's answers: all settings but where files are kept."""
    return {key: value for key, value in plain(config).items() if key not in ("out", "store")}


def digest(config: Any) -> str:
    """Digest what decides a run's answers, 16 hexadecimal digits."""
    return xxhash.xxh3_64(yaml.safe_dump(identity(config)).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Lay out a configuration as mappings, lists and scalars, as YAML reads it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value
