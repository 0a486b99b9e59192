"""The optimizer Muon, which replaces the momentum of every matrix by a nearly orthogonal update.

The method is that of K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. PyTorch
computes it in bfloat16, which is slow on processors without support for this type. This module uses the type of the
weights.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_COEFFICIENTS = (
    3.4445,
    -4.7750,
    2.0315,
)  # published coefficients of an odd polynomial that moves singular values towards 1
_ROUNDS = 5


def nearly_orthogonal(matrices: Tensor) -> Tensor:
    """Move the singular values of matrices [matrix, row, column] close to 1 by Newton-Schulz iteration."""
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, third, fifth = _COEFFICIENTS
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = first * x + (third * square + fifth * square @ square) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum, for weights that are matrices.

    Parameters
    ----------
    params : iterable of Tensor
        Matrices to train.
    lr : float
        Learning rate. It is multiplied by 0.2 sqrt(longer side), so that updates are as large as those of AdamW.
    momentum : float, default 0.95
        Weight of earlier gradients, from 0 to 1.
    weight_decay : float, default 0.01
        Relative decrease of the weights per step, for a learning rate of 1.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update all weights. A closure is not supported."""
        assert closure is None
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                alike.setdefault(weight.shape, []).append(weight)
            for shape, weights in alike.items():
                updates = nearly_orthogonal(
                    torch.stack([self._momentum(weight, group["momentum"]) for weight in weights])
                )
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update, alpha=-0.2 * group["lr"] * max(shape) ** 0.5)

    def _momentum(self, weight: Tensor, momentum: float) -> Tensor:
        assert weight.grad is not None
        state = self.state[weight]
        mean = state.setdefault("mean", torch.zeros_like(weight)).lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(mean, momentum)
