"""One optimiser for all weights: Muon for the layers' matrices, Adam for the rest."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

WEIGHT_DECAY = 0.01
ADAM_DECAYS = (0.9, 0.98)


class MuonWithAdam(torch.optim.Optimizer):
    """Muon, as far as it goes.

    Muon makes the momentum of a matrix orthogonal before it steps, which is right for
    maps between features and wrong for embeddings, biases and the maps at either end
    of the network; those are left to Adam.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/.
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
            torch.optim.Muon(matrices, lr=matrix_rate, weight_decay=WEIGHT_DECAY),
            torch.optim.AdamW(
                others, lr=other_rate, weight_decay=WEIGHT_DECAY, betas=ADAM_DECAYS
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
