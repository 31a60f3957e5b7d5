"""Mixtures of Gaussians against the sum written out, linear prediction against the formula of regression."""

import pytest
import torch
from tests.baselines.shared import normal_log_density, patches_of

from ride.baselines.conditionals import LinearPrediction, log_mixture
from ride.errors import DataError


def test_mixture_is_the_sum_of_its_gaussians():
    x = torch.randn(5, dtype=torch.float64)
    logits, means, log_scales = torch.randn(3, 5, 4, dtype=torch.float64)
    densities = normal_log_density(x.unsqueeze(-1), means, log_scales.exp()).exp()
    expected = (logits.softmax(-1) * densities).sum(-1).log()
    torch.testing.assert_close(log_mixture(x, logits, means, log_scales), expected)


def test_factors_predict_as_regression_does():
    x = patches_of(4000, 5, dtype=torch.float64)
    prediction = LinearPrediction(5, full=True).double()
    prediction.fit(x)
    order, cut = torch.tensor([3, 0, 4, 2, 1]), 2
    seen, unseen = order[:cut], order[cut:]
    covariance, centred = x.mT.cov(correction=0), x - x.mean(0)
    weights = covariance[unseen][:, seen] @ torch.linalg.inv(covariance[seen][:, seen])
    variances = (covariance[unseen][:, unseen] - weights @ covariance[seen][:, unseen]).diagonal()
    factor = prediction.factor(order)
    white = torch.linalg.solve_triangular(factor, centred[:, order].mT, upper=False)
    torch.testing.assert_close((factor[cut:, :cut] @ white[:cut]).mT, centred[:, seen] @ weights.mT)
    torch.testing.assert_close(factor[cut:, cut:].square().sum(1), variances)
    torch.testing.assert_close(prediction.whiten @ covariance @ prediction.whiten, torch.eye(5, dtype=torch.float64))


def test_the_diagonal_standardises_each_pixel():
    x = patches_of(1000, 3, dtype=torch.float64)
    prediction = LinearPrediction(3, full=False).double()
    prediction.fit(x)
    deviations = x.std(0, correction=0)
    torch.testing.assert_close(prediction.factor(torch.tensor([2, 0, 1])), deviations[[2, 0, 1]].diag())
    torch.testing.assert_close(prediction.whiten, deviations.reciprocal().diag())


def test_pixels_that_cannot_be_told_apart_are_refused():
    x = patches_of(1000, 3)
    x[:, 2] = x[:, 1] + 1e-4 * torch.randn(1000)
    with pytest.raises(DataError, match="determined by others"):
        LinearPrediction(3, full=True).fit(x)
    with pytest.raises(DataError, match="at least"):
        LinearPrediction(3, full=True).fit(x[:2])
    with pytest.raises(DataError, match="NaN"):
        LinearPrediction(3, full=True).fit(x.log())
