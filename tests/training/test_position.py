"""Work that is done grows from nothing to everything."""

from dataclasses import replace

from tests.training.conftest import ADAM

from ride.training import Stage
from ride.training.position import Position, Work

TWO_BATCHES = replace(ADAM, stages=(ADAM.stages[0], replace(ADAM.stages[1], batch=5)))
WORK = Work(TWO_BATCHES, lambda stage: stage.steps or 0, lambda patch: patch - 2)


def test_work_grows_from_nothing_to_everything():
    way = [Position(stage=0), *(Position(0, "steps", k) for k in range(5)), Position(0, "head"), Position(0, "finish")]
    way += [Position(1), *(Position(1, "steps", k) for k in range(4)), *(Position(1, "head", k) for k in range(9))]
    way += [Position(1, "finish"), Position(2)]
    done = [WORK.done(position) for position in way]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, WORK.total)
    assert done[4] == 3 * 3 * 6
    assert WORK.total == 4 * 3 * 6 + 3 * 5 * 8 + 0.3 * 300 * 8


def test_a_run_that_ended_early_is_done():
    assert WORK.done(Position(stage=1, ended=True)) == WORK.total


def test_a_stage_without_steps_is_the_work_of_l_bfgs():
    config = replace(ADAM, stages=(Stage(patch=8, steps=0, rate=0.0, head_iterations=10),))
    work = Work(config, lambda stage: stage.steps or 0, lambda patch: patch**2)
    assert (work.total, work.done(Position(0, "head", 5))) == (900, 450)
