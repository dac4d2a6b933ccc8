"""WiSE-FT between two classifiers, and the ensemble of their outputs, to which it is compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from probes.errors import InputError
from probes.transfer.classifier import Classifier, Predictions
from probes.transfer.weights import interpolate

DEFAULT_ALPHA = 0.5
"""What Wortsman et al. (2022) recommend where nothing is known of the shift."""


def wise_ft(first: Classifier, second: Classifier, alpha: float = DEFAULT_ALPHA) -> Classifier:
    """Average the weights of two classifiers, θ_α = (1 - α) θ_0 + α θ_1.

    Parameters
    ----------
    first, second : Classifier
        Of one architecture, with the same classes in the same order. The heads should be related:
        one classifier should have been trained from the other, or both from a third.
    alpha : float
        Share of `second`, 0 to 1.

    Returns
    -------
    Classifier
        On the device of `first`; at both ends that classifier's weights, bit for bit. Its
        temperature is 1: a temperature belongs to the weights it was fitted to.

    Raises
    ------
    InputError
        If the two are not alike (the first difference is named), or `alpha` is not between 0 and 1.

    Notes
    -----
    Wortsman et al. (2022), arXiv:2109.01903, §3. With features that both share it is the ensemble
    of their outputs, `output_ensemble`, since the head is linear.
    """
    state = interpolate(
        first.state(),
        second.state(),
        alpha,
        about_0=identity(first),
        about_1=identity(second),
    )
    return first.with_state(state).with_temperature(1.0)


def output_ensemble(first: Predictions, second: Predictions, alpha: float) -> Predictions:
    """Average the logits of two classifiers, (1 - α) f_0 + α f_1.

    Parameters
    ----------
    first, second : Predictions
        For the same items.
    alpha : float
        Share of `second`, 0 to 1.

    Returns
    -------
    Predictions
        In their order.

    Raises
    ------
    InputError
        If they answer for another number of items or classes.
    """
    if first.logits.shape != second.logits.shape:
        raise InputError(
            f"logits of shape {first.logits.shape} and {second.logits.shape}; give answers for the "
            "same items and classes"
        )
    logits = (1 - alpha) * first.logits.astype(np.float64) + alpha * second.logits
    return Predictions(logits.astype(np.float32), max(first.n_cut, second.n_cut))


def identity(classifier: Classifier) -> Mapping[str, object]:
    """Say what two classifiers must share for their weights to be averaged."""
    about = classifier.about()
    return {"architecture": about["architecture"], "classes": about["classes"]}
