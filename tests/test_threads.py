"""Work divided over threads gives what one thread gives."""

import threading

import pytest
import torch

from ride.evaluation.bands import log_prob_maps
from ride.models.ride import RIDE, RIDEConfig
from ride.threads import alone, check, parts, spread


def test_parts_are_contiguous_in_order_and_large_enough(two_threads):
    data, twice = torch.arange(5), 2 * torch.arange(5)
    assert [part.tolist() for part in spread(lambda x, y: x + y, data, twice)] == [[0, 3], [6, 9, 12]]
    assert [part.tolist() for part in spread(lambda x: x, data, least=3)] == [[0, 1, 2, 3, 4]]
    assert [len(part) for part in spread(lambda x: x, data[:0])] == [0]


def test_a_part_has_a_thread_of_its_own_with_its_share_of_torchs(two_threads):
    barrier = threading.Barrier(2, timeout=60)

    def ask(x):
        barrier.wait()
        return threading.get_ident(), torch.get_num_threads(), torch.is_grad_enabled()

    with torch.no_grad():
        first, second = spread(ask, torch.arange(2))
    assert first[0] != second[0]
    assert first[1:] == second[1:] == (1, False)
    assert torch.get_num_threads() == 2


def test_errors_of_a_part_are_raised(two_threads):
    def fail(x):
        if x[0]:
            raise ValueError(f"part {int(x[0])}")

    with pytest.raises(ValueError, match="part 1"):
        spread(fail, torch.arange(2))


def test_scores_and_samples_are_those_of_one_thread(two_threads):
    model = RIDE(RIDEConfig(hidden=6, components=3, features=4)).double()
    images = torch.rand(5, 20, 22, dtype=torch.float64)
    model.fit_whitening([images])
    told = []
    maps = log_prob_maps(model, images, memory=100_000, progress=lambda done, total: told.append((done, total)))
    with torch.no_grad():
        torch.testing.assert_close(maps, model.log_prob(images), rtol=0, atol=1e-11)
    assert told == sorted(told)
    assert told[-1] == (5 * 18, 5 * 18)
    steps = []
    drawn = model.sample(8, 9, batch=3, seed=4, progress=lambda done, total: steps.append((done, total)))
    alone = torch.cat([model.sample(8, 9, batch=1, seed=4), model.sample(8, 9, batch=3, seed=4)[1:]])
    torch.testing.assert_close(drawn, alone, rtol=0, atol=1e-11)
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert steps[-1][0] == steps[-1][1]


def test_where_one_part_fails_the_others_end(two_threads):
    begun = threading.Event()

    def work(x):
        if x[0]:
            assert begun.wait(60)
            raise ValueError("failed")
        begun.set()
        while True:
            check()

    with pytest.raises(ValueError, match="failed"):
        spread(work, torch.arange(2))


def test_it_leaves_the_number_of_threads_to_others(two_threads):
    spread(lambda x: x, torch.arange(2))
    counts = []
    other = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert counts == [torch.get_num_threads()] == [2]


def test_a_part_is_not_divided_again(two_threads):
    torch.set_num_threads(4)
    inner = spread(lambda x: (parts(torch.arange(9)), len(spread(lambda y: y, torch.arange(9)))), torch.arange(2))
    assert inner == [(1, 1), (1, 1)]


def test_the_inference_mode_goes_along(two_threads):
    with torch.inference_mode():
        assert spread(lambda x: torch.is_inference_mode_enabled(), torch.arange(2)) == [True, True]
    model = RIDE(RIDEConfig(hidden=6, components=3, features=4))
    images = torch.rand(4, 20, 22)
    model.fit_whitening([images])
    expected = log_prob_maps(model, images)
    with torch.inference_mode():
        log_prob_maps(model, images[:1])
    assert torch.equal(log_prob_maps(model, images), expected)
    model.mean_log_prob(images).backward()


@pytest.mark.parametrize(("small", "within"), [(True, 1), (False, 2)])
def test_small_operations_have_one_thread(two_threads, small, within):
    with alone(small):
        assert torch.get_num_threads() == within
    assert torch.get_num_threads() == 2
