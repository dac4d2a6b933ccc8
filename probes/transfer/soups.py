"""Model soups: the mean of the weights of several fine-tuned models, of all or of the good ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from probes.errors import InputError
from probes.transfer.layouts import Layout, State, layout_in, layout_of, opened, require_alike
from probes.transfer.weights import mixed

Member = State | str | Path
"""Weights in memory, or the path of a safetensors file, which is read when its turn comes."""


@dataclass(frozen=True)
class Trial:
    """A member of a greedy soup as it was tried.

    Parameters
    ----------
    member : int
        Its place among the members that were given.
    alone : float
        Its own validation score.
    score : float
        That of the mean of those kept before and this one.
    kept : bool
        Whether it is in the soup.
    """

    member: int
    alone: float
    score: float
    kept: bool


@dataclass(frozen=True)
class Soup:
    """A greedy soup and how it came about.

    Parameters
    ----------
    state : dict of str to Tensor
        Mean of the weights of the members that were kept.
    score : float
        Its validation score; no member has a better one.
    trials : tuple of Trial
        All members, in the order in which they were tried: best first.
    """

    state: dict[str, torch.Tensor]
    score: float
    trials: tuple[Trial, ...]

    @property
    def kept(self) -> tuple[int, ...]:
        """Places of the members that were kept, in the order in which they were added."""
        return tuple(trial.member for trial in self.trials if trial.kept)


def uniform_soup(members: Sequence[Member]) -> dict[str, torch.Tensor]:
    """Average the weights of all members.

    Parameters
    ----------
    members : sequence of mapping, str or Path
        Weights of one architecture, or safetensors files; all are compared (files by their headers)
        before a number is read. Files are read one after another.

    Returns
    -------
    dict of str to Tensor
        The mean, in the dtypes of the first member; of one member, its own bits.

    Raises
    ------
    InputError
        If there are none, two are not alike, or an integer tensor differs.

    Notes
    -----
    Wortsman et al. (2022), arXiv:2203.05482, §2. A running mean in float64, rounded once at the
    end: what is held at once is that mean and one member. Counters are averaged and rounded, as in
    `probes.transfer.weights.mixed`.
    """
    require_members(members)
    mean = _wide(_read(members[0]))
    for k, member in enumerate(members[1:], start=2):
        mean = _joined(mean, _read(member), k)
    return _cast(mean, _dtypes(members[0]))


def greedy_soup(
    members: Sequence[Member],
    evaluate: Callable[[dict[str, torch.Tensor]], float],
    *,
    scores: Sequence[float] | None = None,
) -> Soup:
    """Average the weights of those members that better the mean of the better ones.

    Members are tried from the best to the worst, in the order given where they are equally good;
    one is kept if the mean of all kept and it scores strictly higher than the best mean so far.

    Parameters
    ----------
    members : sequence of mapping, str or Path
        As in `uniform_soup`.
    evaluate : callable
        From weights to a validation score, of which more is better.
    scores : sequence of float, optional
        Validation score of each member, where they are known; else each is evaluated.

    Returns
    -------
    Soup
        The mean, its score, and which members were kept.

    Raises
    ------
    InputError
        As `uniform_soup`; or if a score is not a number, or there is not one a member.

    Notes
    -----
    Wortsman et al. (2022), arXiv:2203.05482, §2, recipe 1; strictly higher as in its code (the
    paper's text keeps equals, too). The score is on data by which members are chosen: report the
    soup on other data.
    """
    require_members(members)
    if scores is None:
        scores = [evaluate(_read(member)) for member in members]
    alone = [_number(score, k) for k, score in enumerate(scores)]
    if len(alone) != len(members):
        raise InputError(f"{len(alone)} scores of {len(members)} members; give one each")
    first, *others = sorted(range(len(members)), key=lambda k: -alone[k])
    dtypes = _dtypes(members[first])
    mean, best = _wide(_read(members[first])), alone[first]
    trials = [Trial(first, best, best, True)]
    n_kept = 1
    for k in others:
        tried = _joined(mean, _read(members[k]), n_kept + 1)
        score = _number(evaluate(_cast(tried, dtypes)), k)
        trials.append(Trial(k, alone[k], score, score > best))
        if score > best:
            mean, best, n_kept = tried, score, n_kept + 1
    return Soup(_cast(mean, dtypes), best, tuple(trials))


def require_members(members: Sequence[Member]) -> None:
    """Refuse members that cannot be averaged, without reading a number of a file.

    Parameters
    ----------
    members : sequence of mapping, str or Path
        As in `uniform_soup`.

    Raises
    ------
    InputError
        If there are none, or one is not like the first.
    """
    if not members:
        raise InputError("no members of a soup; give the weights of one model at least")
    layouts = [_layout(member, k) for k, member in enumerate(members)]
    for layout in layouts[1:]:
        require_alike(layouts[0], layout)


def _layout(member: Member, place: int) -> Layout:
    if isinstance(member, (str, Path)):
        return layout_in(member)
    return layout_of(member, f"member {place}")


def _read(member: Member) -> dict[str, torch.Tensor]:
    if not isinstance(member, (str, Path)):
        return dict(member)
    with opened(member) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _dtypes(member: Member) -> dict[str, torch.dtype]:
    return {name: tensor.dtype for name, tensor in _read(member).items()}


def _wide(state: State) -> dict[str, torch.Tensor]:
    return {name: _widened(tensor) for name, tensor in state.items()}


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    """Copy a tensor in float64, but for integers that must be equal."""
    if tensor.is_complex():
        return tensor.detach().to(torch.complex128)
    is_counter = tensor.numel() == 1 and tensor.dtype != torch.bool
    if tensor.is_floating_point() or is_counter:
        return tensor.detach().to(torch.float64)
    return tensor.detach().clone()


def _joined(mean: State, member: State, k: int) -> dict[str, torch.Tensor]:
    """Add the k-th member to the mean of k - 1."""
    return {
        name: mixed(mean[name], _widened(member[name]).to(mean[name].device), 1 / k, name)
        for name in mean
    }


def _cast(mean: State, dtypes: dict[str, torch.dtype]) -> dict[str, torch.Tensor]:
    cast = {}
    for name, tensor in mean.items():
        is_counter = tensor.is_floating_point() and not dtypes[name].is_floating_point
        cast[name] = (tensor.round() if is_counter else tensor).to(dtypes[name], copy=True)
    return cast


def _number(score: float, place: int) -> float:
    if not math.isfinite(score):
        raise InputError(f"the validation score of member {place} is {score}; expected a number")
    return float(score)
