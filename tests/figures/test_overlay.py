import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from equicryo.figures.overlay import (
    QUARTER_TURN,
    draw_profile,
    draw_traces,
    principal_axes,
)


def walk(seed: int) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=(30, 3)) * [3.0, 2.0, 1.0]
    chain = np.cumsum(steps, axis=0)
    return chain - chain.mean(axis=0)


def segments_of(axes) -> tuple[np.ndarray, np.ndarray]:
    (lines,) = (one for one in axes.collections if isinstance(one, LineCollection))
    return np.array(lines.get_segments()), lines.get_colors()


def test_views_are_proper_rotations_with_the_longest_axis_first() -> None:
    for seed in range(5):
        axes = principal_axes(walk(seed))
        # Rounding of a 3 × 3 SVD.
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(axes) > 0.0
        spread = (walk(seed) @ axes.T).var(axis=0)
        assert spread[0] >= spread[1] >= spread[2]
    assert np.linalg.det(QUARTER_TURN) == 1.0
    assert (QUARTER_TURN @ [0.0, 1.0, 0.0] == [0.0, 1.0, 0.0]).all()


def test_every_bond_is_drawn_far_ones_first_and_paler() -> None:
    truth = walk(1)
    samples = np.stack([truth + 0.1, truth - 0.2])
    axes = Figure().subplots()
    draw_traces(axes, truth, samples)
    segments, colours = segments_of(axes)
    assert len(segments) == 3 * 29
    chains = np.stack([truth, *samples])
    depth = (chains[:, 1:, 2] + chains[:, :-1, 2]).ravel() / 2
    expected = np.stack([chains[:, :-1, :2], chains[:, 1:, :2]], axis=2)
    order = np.argsort(depth, kind="stable")
    np.testing.assert_allclose(segments, expected.reshape(-1, 2, 2)[order])
    whiteness = colours[:, :3].min(axis=1)
    assert whiteness[0] > 0.7 > whiteness[-1]


def test_orthogonal_views_share_one_scale() -> None:
    truth = walk(2)
    samples = truth[None] + 0.1
    left, right = Figure().subplots(1, 2)
    draw_traces(left, truth, samples)
    draw_traces(right, truth @ QUARTER_TURN.T, samples @ QUARTER_TURN.T)
    np.testing.assert_allclose(left.get_xlim(), right.get_xlim())
    np.testing.assert_allclose(left.get_ylim(), right.get_ylim())


def test_profile_leaves_out_a_bound_that_is_not_there() -> None:
    profile = pd.DataFrame(
        {"residue": [1, 2, 4], "error": [0.3, 0.2, 0.5], "spread": [0.2, 0.2, 0.4]}
    )
    for bound, names in ((None, {"error", "spread"}), (0.4, None)):
        axes = Figure().subplots()
        draw_profile(axes, profile.assign(crlb=bound))
        drawn = {line.get_label(): line for line in axes.get_lines()}
        assert drawn["error"].get_xdata().tolist() == [1, 2, 4]
        assert names is None or set(drawn) == names
        assert axes.get_ylim()[0] == 0.0
    assert drawn["Cramér-Rao bound without a prior"].get_ydata()[0] == 0.4
