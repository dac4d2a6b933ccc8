"""Linear probes as scikit-learn estimators."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_expit, log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from probes.diagnostic.logistic import check_finite, fit_logistic
from probes.diagnostic.ridge import fit_ridge
from probes.diagnostic.scale import fit_scale
from probes.errors import InputError

Array = npt.NDArray[Any]


class LinearProbe(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression on standardised inputs.

    Minimises mean −log softmax(W z + b)[y] + penalty/2 ‖W‖², z the standardised x. That is
    scikit-learn's `LogisticRegression(C=1 / (n * penalty))` behind a scaler (`C=2 / (n * penalty)`
    for two classes, see `probes.diagnostic.logistic`); the penalty is per mean loss, so one value
    means the same on corpora of different size.

    Parameters
    ----------
    penalty : float
        λ > 0.
    standardize : bool
        Whether each dimension is centred and divided by its deviation (with a floor) over the rows
        given to `fit`.
    tol : float
        Relative suboptimality of the objective aimed at (see `fit_logistic`).
    max_evaluations : int
        Passes over X before a `ConvergenceWarning`.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, sorted.
    coef_ : ndarray of shape (K, d), or (1, d) for two classes
        Weights on x itself, not on z; for two classes those of the second against the first.
    intercept_ : ndarray of shape (K,) or (1,)
        Likewise.
    objective_ : float
        The minimum found.
    n_iter_ : int
        Passes over X.
    n_features_in_ : int
        Width d.

    Examples
    --------
    >>> import numpy as np
    >>> from probes.diagnostic.probe import LinearProbe
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> LinearProbe().fit(X, ["low", "low", "high", "high"]).predict([[3.0]])
    array(['high'], dtype='<U4')
    """

    def __init__(
        self,
        penalty: float = 1e-3,
        *,
        standardize: bool = True,
        tol: float = 1e-4,
        max_evaluations: int = 500,
    ) -> None:
        self.penalty = penalty
        self.standardize = standardize
        self.tol = tol
        self.max_evaluations = max_evaluations

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the probe.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Training inputs; the scale is taken from them alone.
        y : array-like of shape (n,)
            Their labels.

        Returns
        -------
        LinearProbe
            Itself.
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], ensure_all_finite=False)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"all {len(y)} labels are of one class; a probe needs two or more")
        inputs = _tensor(X)
        scale = fit_scale(inputs) if self.standardize else None
        fitted = fit_logistic(
            (scale(inputs) if scale else inputs).float(),
            [torch.from_numpy(labels.astype(np.int64))],
            [[self.penalty]],
            tol=self.tol,
            max_evaluations=self.max_evaluations,
        )
        if not bool(fitted.converged[0][0]):
            warnings.warn(
                f"the probe stopped after {int(fitted.n_evaluations[0][0])} passes, before it was "
                f"within {self.tol} of the optimum; raise max_evaluations, tol or penalty",
                ConvergenceWarning,
                stacklevel=2,
            )
        coef, intercept = fitted.coef[0][0], fitted.intercept[0][0]
        if scale:
            coef, intercept = scale.unscaled(coef, intercept)
        if len(self.classes_) == 2:
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        self.coef_, self.intercept_ = coef.numpy(), intercept.numpy()
        self.objective_ = float(fitted.objective[0][0])
        self.n_iter_ = int(fitted.n_evaluations[0][0])
        return self

    def decision_function(self, X: Any) -> Array:
        """Logits, shape (n, K); for two classes the second's log odds, shape (n,)."""
        check_is_fitted(self)
        Z = _inputs(self, X) @ self.coef_.T + self.intercept_
        return Z[:, 0] if len(self.classes_) == 2 else Z

    def predict(self, X: Any) -> Array:
        """Take the most probable label, shape (n,)."""
        Z = self.decision_function(X)
        return self.classes_[(Z > 0).astype(int) if Z.ndim == 1 else Z.argmax(1)]

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities, shape (n, K)."""
        Z = self.decision_function(X)
        if Z.ndim == 1:
            return np.stack([log_expit(-Z), log_expit(Z)], axis=1)
        return log_softmax(Z, axis=1)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes in the order of `classes_`, shape (n, K)."""
        return np.exp(self.predict_log_proba(X))


class RidgeProbe(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression on standardised inputs, in closed form.

    Minimises mean ½ (w·z + b − y)² + penalty/2 ‖w‖², z the standardised x: scikit-learn's
    `Ridge(alpha=n * penalty)` behind a scaler.

    Parameters
    ----------
    penalty : float
        λ ≥ 0.
    standardize : bool
        As in `LinearProbe`.

    Attributes
    ----------
    coef_ : ndarray of shape (d,), or (T, d) for y of shape (n, T)
        Weights on x itself.
    intercept_ : float, or ndarray of shape (T,)
        Intercepts.
    objective_ : float, or ndarray of shape (T,)
        The minimum.
    n_features_in_ : int
        Width d.
    """

    def __init__(self, penalty: float = 1e-3, *, standardize: bool = True) -> None:
        self.penalty = penalty
        self.standardize = standardize

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the probe.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Training inputs; the scale is taken from them alone.
        y : array-like of shape (n,) or (n, T)
            Targets.

        Returns
        -------
        RidgeProbe
            Itself.
        """
        X, y = validate_data(
            self,
            X,
            y,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            multi_output=True,
            y_numeric=True,
        )
        inputs, targets = _tensor(X), _tensor(np.asarray(y, dtype=np.float64).reshape(len(X), -1))
        scale = fit_scale(inputs) if self.standardize else None
        fitted = fit_ridge(scale(inputs) if scale else inputs, targets, [self.penalty])
        coef, intercept = fitted.coef[0], fitted.intercept[0]
        if scale:
            coef, intercept = scale.unscaled(coef, intercept)
        flat = np.ndim(y) == 1
        self.coef_ = coef.numpy()[0] if flat else coef.numpy()
        self.intercept_ = float(intercept[0]) if flat else intercept.numpy()
        self.objective_ = float(fitted.objective[0, 0]) if flat else fitted.objective[0].numpy()
        return self

    def predict(self, X: Any) -> Array:
        """Predict the targets, shape (n,) or (n, T)."""
        check_is_fitted(self)
        return _inputs(self, X) @ self.coef_.T + self.intercept_


def _tensor(array: Array) -> torch.Tensor:
    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    check_finite(tensor)
    return tensor


def _inputs(probe: BaseEstimator, X: Any) -> Array:
    X = validate_data(
        probe, X, reset=False, dtype=[np.float64, np.float32], ensure_all_finite=False
    )
    _tensor(X)
    return X
