import numpy as np
import pytest
import torch

from equicryo.errors import InputError
from equicryo.inference.proposals import (
    Proposals,
    cube_turns,
    mark_map,
    propose_candidates,
)
from equicryo.models.proposer import Proposer, ProposerConfig, initialise
from equicryo.physics.deconvolution import SHELLS, STRENGTHS

from ..normal_equations import seen_through, spike


def make_proposer() -> Proposer:
    proposer = Proposer(ProposerConfig(width=8, inner_width=8, blocks=1))
    generator = torch.Generator().manual_seed(0)
    initialise(proposer, generator)
    with torch.no_grad():
        for weight in proposer.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return proposer.requires_grad_(requires_grad=False)


def test_the_cube_has_24_proper_rotations() -> None:
    grid = torch.arange(27.0).view(3, 3, 3)
    turns = list(cube_turns())
    assert len({tuple(turn.apply(grid).flatten().tolist()) for turn in turns}) == 24
    for turn in turns:
        matrix = np.eye(3)[list(turn.axes)]
        matrix[list(turn.reversed)] *= -1.0
        assert np.linalg.det(matrix) == 1.0
        assert torch.equal(turn.undo(turn.apply(grid)), grid)


def test_marks_turn_with_the_map() -> None:
    proposer = make_proposer()
    generator = torch.Generator().manual_seed(1)
    field = torch.randn(len(STRENGTHS), 8, 8, 8, generator=generator)
    resolution = torch.randn(len(SHELLS), generator=generator)
    turn = list(cube_turns())[7]
    marks = mark_map(proposer, field, resolution)
    turned = mark_map(proposer, turn.apply(field), resolution)
    for name, value in vars(marks).items():
        moved = turn.apply(value)
        # The same 24 terms in another order; products may be rounded to bfloat16.
        torch.testing.assert_close(vars(turned)[name], moved, rtol=1e-3, atol=1e-5)
        assert not torch.allclose(vars(turned)[name], value, rtol=1e-2)


def test_evidence_is_where_the_marks_are() -> None:
    occupancy, midpoints = torch.full((2, 12, 12, 12), 0.02)
    occupancy[6, 6, 8] = 0.9  # x = +2 voxels
    midpoints[6, 6, 7] = 0.9
    types = torch.zeros(20, 6, 6, 6)
    types[4, 3, 3, 4] = 1.5
    evidence = Proposals(
        places=np.zeros((1, 3)),
        occupancy=occupancy,
        midpoints=midpoints,
        types=types,
        sequence_types=np.array([4, 5]),
        pixel_size=1.25,
    )
    positions = np.array([[2.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    scores = evidence.score_residues(positions)
    assert scores[0].argmax() == 0
    assert scores[0, 0] - scores[1, 0] == 0.5 * 1.5
    bonds = evidence.score_bonds(positions)
    assert bonds[0, 1] == bonds[1, 0] == bonds.max() > 0.0 > bonds[0, 2]


def test_pixels_coarser_than_the_network_has_seen_are_refused() -> None:
    normal = seen_through(spike(24, 1.0), pixel_size=1.9)
    with pytest.raises(InputError, match=r"1.9 Å is too coarse .* needs 1.27 Å"):
        propose_candidates(normal, "GA", make_proposer(), 4)
