"""Drawing with prepared parameters draws what the distribution draws."""

import pytest
import torch

from ride.models.mcgsm import MCGSM
from ride.models.mcgsm.drawing import Drawing

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.mark.parametrize("inputs", [0, 5])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("features", [None, 4])
@pytest.mark.parametrize("means", [False, True])
def test_it_equals_the_distribution(inputs, outputs, features, means):
    model = MCGSM(inputs, outputs, components=3, scales=2, features=features, means=means).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    x = torch.randn(500, inputs, dtype=torch.float64)
    u, z = torch.rand(500, dtype=torch.float64), torch.randn(500, outputs, dtype=torch.float64)
    torch.testing.assert_close(Drawing(model).draw(x, u, z), model.draw(x, u, z), rtol=1e-12, atol=1e-12)


def test_what_is_not_a_number_stays_visible():
    drawn = Drawing(MCGSM(2)).draw(torch.full((3, 2), torch.nan), torch.rand(3), torch.randn(3, 1))
    assert drawn.isnan().all()


def test_improbable_experts_underflow_without_a_trace():
    model = MCGSM(1, components=2, scales=1, features=1)
    with torch.no_grad():
        model.eta.copy_(torch.tensor([[-1e4], [0.0]]))
        model.a.copy_(torch.tensor([[[100.0]], [[0.0]]]))
        drawn = Drawing(model).draw(torch.ones(1000, 1), torch.linspace(1e-12, 1 - 1e-6, 1000), torch.zeros(1000, 1))
    assert not drawn.any()
