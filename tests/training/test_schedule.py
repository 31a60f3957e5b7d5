"""The learning rate: warm-up and half a cosine."""

from dataclasses import replace

import pytest
from tests.training.conftest import ADAM

from ride.training import Stage
from ride.training.schedule import learning_rate

PLAIN = replace(ADAM, warmup=0, stages=(Stage(patch=8, steps=10, rate=0.8, rate_end=0.2),))


def test_half_a_cosine_goes_from_one_rate_to_the_other():
    rates = [learning_rate(PLAIN, 0, step, 10) for step in range(11)]
    assert rates[0] == pytest.approx(0.8)
    assert rates[5] == pytest.approx(0.5)
    assert rates[10] == pytest.approx(0.2)
    assert rates == sorted(rates, reverse=True)


def test_without_an_end_the_rate_is_constant():
    config = replace(PLAIN, stages=(Stage(patch=8, steps=10, rate=0.8),))
    assert {learning_rate(config, 0, step, 10) for step in range(10)} == {0.8}


def test_the_first_stage_alone_warms_up():
    config = replace(PLAIN, warmup=4, stages=(Stage(patch=8, steps=10, rate=0.8),) * 2)
    assert [learning_rate(config, 0, step, 10) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])
    assert learning_rate(config, 1, 0, 10) == 0.8
