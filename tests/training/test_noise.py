"""Random numbers of an image: distribution, and what they do not depend on."""

from dataclasses import replace

import pytest
import torch

from p2pselect.training._noise import _GAMMA, _mix, combine_seeds, normal, uniform
from p2pselect.training._phases import Step

ROWS = torch.arange(64)


def test_the_generator_is_splitmix64():
    # The first numbers of seed 1234567, as Vigna's reference program prints them.
    found = _mix(1234567 + torch.arange(1, 4) * _GAMMA)
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [int(number) % 2**64 for number in found] == expected


def test_uniform_numbers_are_uniform_and_independent():
    numbers = uniform(combine_seeds(0, 1), ROWS, 0, (4096,))
    assert 0 < numbers.min() and numbers.max() < 1
    expected = numbers.numel() / 100
    squares = (torch.histc(numbers, 100, 0, 1) - expected).square() / expected
    assert 55 < squares.sum() < 160  # chi-squared of 99 degrees: one in a thousand beyond
    centered = numbers - 0.5
    for other in (centered.roll(1, 0), centered.roll(1, 1), centered.roll((1, 1), (0, 1))):
        assert (centered * other).mean().abs() < 5 / 12 / numbers.numel() ** 0.5


def test_normal_numbers_have_the_moments_of_the_normal_distribution():
    numbers = normal(combine_seeds(0, 1), ROWS, 1, (4096,))
    for power, moment in enumerate((0, 1, 0, 3), start=1):
        assert (numbers**power).mean().item() == pytest.approx(moment, abs=0.06)


@pytest.mark.parametrize("shape", [(), (7,), (3, 7)])
def test_numbers_depend_on_seed_row_and_draw_alone(shape):
    whole = uniform(3, ROWS, 0, shape)
    assert torch.equal(uniform(3, ROWS[5:9], 0, shape), whole[5:9])
    assert torch.equal(uniform(3, ROWS.flip(0), 0, shape).flip(0), whole)
    longer = uniform(3, ROWS, 0, tuple(n + 2 for n in shape))
    assert torch.equal(longer[(slice(None), *map(slice, shape))], whole)
    for other in (uniform(4, ROWS, 0, shape), uniform(3, ROWS, 1, shape)):
        assert (other != whole).all()


def test_a_step_draws_other_numbers_each_time_and_again_when_it_is_repeated():
    step = Step(None, None, None, None, torch.tensor([4, 7]), 0.0, seed=5)
    like = torch.zeros(2, 3, dtype=torch.float64)
    first, second = step.rand_like(like), step.randn_like(like)
    assert first.dtype == torch.float64 and not torch.equal(first, second)
    assert torch.equal(replace(step).rand_like(like), first)
