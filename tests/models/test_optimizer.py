import pytest
import torch

from equicryo.models.optimizer import WEIGHT_DECAY, Muon, orthogonalise


@pytest.mark.parametrize("shape", [(24, 24), (24, 96), (96, 24)])
def test_orthogonalised_matrices_keep_their_singular_vectors(shape):
    generator = torch.Generator().manual_seed(1)
    matrices = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
    made = orthogonalise(matrices)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    inner = left.mT @ made @ right.mT
    values = inner.diagonal(dim1=1, dim2=2)
    assert 0.6 < values.min() < values.max() < 1.3
    torch.testing.assert_close(inner, torch.diag_embed(values), atol=1e-9, rtol=0.0)


def test_muon_is_that_of_torch_but_for_its_rounding():
    generator = torch.Generator().manual_seed(2)
    shapes = [(16, 16), (16, 48), (48, 16), (16, 16)]
    starts = [torch.randn(shape, generator=generator) for shape in shapes]
    ours = [torch.nn.Parameter(start.clone()) for start in starts]
    theirs = [torch.nn.Parameter(start.clone()) for start in starts]
    optimizers = (
        Muon(ours, 0.1),
        torch.optim.Muon(theirs, lr=0.1, weight_decay=WEIGHT_DECAY),
    )
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for mine, other, start in zip(ours, theirs, starts, strict=True):
        moved = (other - start).norm()
        assert moved > 0.5
        assert (mine - other).norm() < 0.03 * moved
