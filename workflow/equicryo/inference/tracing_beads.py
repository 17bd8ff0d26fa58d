"""Candidates without any learned part: beads of the deconvolved map.

At a residue of weight w the map u of `deconvolution` is w h/a on average and has the
variance v h, with h the mean of the Wiener filter over frequencies, v the variance of u
and a the area of a voxel's face; elsewhere its mean is that of a random point. The log
odds of a residue against nothing are therefore (w u/a − ½ w² h/a²)/v.

Source: the matched filter; Kay 1998, Fundamentals of Statistical Signal Processing:
    Detection Theory, section 4.3, with the other residues counted as noise.
"""

import numpy as np

from equicryo.inference.candidates import Candidates, cover_greedily, sample_map
from equicryo.models.proposer_examples import fitting_edge
from equicryo.physics.deconvolution import blur_operator, deconvolve, point_variance
from equicryo.physics.normal_equations import NormalEquations
from equicryo.structure.residues import residue_electrons

SEPARATION = 1.4
"""Å: radius of the balls that cover the map; no two beads are much closer."""


def propose_beads(
    normal: NormalEquations, sequence: str, width: float, count: int
) -> Candidates:
    """Cover the deconvolved map by more beads than there are residues.

    Args:
        normal: of the images.
        sequence: one-letter codes.
        width: of a residue's density, Å.
        count: how many beads.
    """
    edge = fitting_edge(normal.support_size * normal.pixel_size)
    operator = blur_operator(normal, edge, width)
    variance = point_variance(sequence, operator.pixel_size)
    (field,) = deconvolve(operator, variance, (1.0,))
    seen = variance * operator.transfer
    visibility = float((seen / (1.0 + seen)).mean())
    positions, _ = cover_greedily(
        field.clamp(min=0.0), operator.pixel_size, count, SEPARATION
    )
    weights = residue_electrons(sequence) / operator.pixel_size**2 / variance**0.5
    found = sample_map(field, positions, operator.pixel_size)
    scores = weights[:, None] * found - 0.5 * visibility * weights[:, None] ** 2
    return Candidates(
        positions=positions,
        scores=scores.astype(np.float32),
        bonds=np.zeros((count, count), np.float32),
    )
