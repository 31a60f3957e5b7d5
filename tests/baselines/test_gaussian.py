"""The Gaussian in closed form."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from ride.baselines.gaussian import Gaussian
from ride.errors import DataError


def test_it_has_the_mean_and_the_covariance_of_the_data():
    x = torch.randn(40, 3, dtype=torch.float64) @ torch.randn(3, 3, dtype=torch.float64) + 2
    y = torch.randn(7, 3, dtype=torch.float64)
    model = Gaussian(3).double()
    rate = model.fit(x, y)
    scipy = multivariate_normal(x.mean(0).numpy(), torch.cov(x.T, correction=0).numpy()).logpdf(y.numpy())
    np.testing.assert_allclose(model.log_prob(y).numpy(), scipy, rtol=1e-9)
    assert rate == pytest.approx(scipy.mean(), rel=1e-12)


def test_it_needs_more_patches_than_dimensions():
    with pytest.raises(DataError, match="at least 4 patches"):
        Gaussian(3).fit(torch.randn(3, 3), torch.randn(3, 3))
