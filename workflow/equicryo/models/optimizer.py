"""One optimiser for all weights: Muon for the layers' matrices, Adam for the rest."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equicryo.models.precision import bfloat16_is_fast

WEIGHT_DECAY = 0.01
ADAM_DECAYS = (0.9, 0.98)
MUON_DECAY = 0.95

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of x, x³ and x⁵: singular values end between 0.7 and 1.2."""

ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Gradient descent whose steps have all singular values equal.

    As `torch.optim.Muon`, but all matrices of a shape at once, and in bfloat16 only
    where that is not emulated.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.
    """

    def __init__(self, matrices: list[nn.Parameter], rate: float) -> None:
        """Create the optimiser.

        Args:
            matrices: weights of two dimensions.
            rate: learning rate of square matrices.
        """
        self.precision = torch.bfloat16 if bfloat16_is_fast() else torch.float32
        super().__init__(matrices, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Take one step."""
        for group in self.param_groups:
            alike = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    alike[weight.shape].append(weight)
            for shape, weights in alike.items():
                momenta = torch.stack([self._momentum(weight) for weight in weights])
                directions = orthogonalise(momenta.to(self.precision))
                rate = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for weight, direction in zip(weights, directions, strict=True):
                    weight.mul_(1.0 - group["lr"] * WEIGHT_DECAY)
                    weight.sub_(rate * direction)

    def _momentum(self, weight: nn.Parameter) -> Tensor:
        """Take the gradient up, and return Nesterov's look ahead."""
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1.0 - MUON_DECAY)
        return weight.grad.lerp(state["momentum"], MUON_DECAY)


def orthogonalise(
    matrices: Float[Tensor, "matrix row column"],
) -> Float[Tensor, "matrix row column"]:
    """Bring all singular values of matrices near one, keeping their vectors.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    linear, cubic, quintic = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(
            x,
            torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic),
            x,
            beta=linear,
        )
    return x.mT if tall else x


class MuonWithAdam(torch.optim.Optimizer):
    """Muon, as far as it goes.

    Its steps are right for maps between features and wrong for embeddings, biases and
    the maps at either end of the network; those are left to Adam.
    """

    def __init__(
        self,
        matrices: list[nn.Parameter],
        others: list[nn.Parameter],
        *,
        matrix_rate: float,
        other_rate: float,
    ) -> None:
        """Create both optimisers.

        Args:
            matrices: weights of two dimensions, for Muon.
            others: the rest, for Adam.
            matrix_rate: learning rate of Muon.
            other_rate: learning rate of Adam.
        """
        self.parts = (
            Muon(matrices, matrix_rate),
            torch.optim.AdamW(
                others,
                lr=other_rate,
                weight_decay=WEIGHT_DECAY,
                betas=ADAM_DECAYS,
                fused=True,
            ),
        )
        groups = [group for part in self.parts for group in part.param_groups]
        super().__init__(groups, {})
        self.param_groups = groups

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with each."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of both."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [g for part in self.parts for g in part.param_groups]
