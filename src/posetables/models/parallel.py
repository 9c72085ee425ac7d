"""Layers that look across a batch, made blind to how many processes hold it: the recipe says what they see.

Batch normalisation sees the whole batch, or each of its shares apart, as on the GPUs that a paper trained on. Dropout
draws its mask for the whole batch. Keys and initial values of a network stay what they were.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS_LAST = torch.channels_last


def divide(network: nn.Module, shares: int) -> None:
    """Prepare a network for training by the processes that there are.

    shares: parts of the batch that are normalised apart; 1: the whole batch at once.
    """
    processes = dist.get_world_size() if dist.is_initialized() else 1
    if processes == shares == 1:
        return
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                own = SharesNorm(child, shares // processes) if shares > 1 else WholeBatchNorm(child)
                module.add_module(name, own)
            elif isinstance(child, nn.Dropout):
                module.add_module(name, WholeBatchDropout(child.p))


class _Norm(nn.BatchNorm2d):
    """A batch normalisation with the parameters and statistics of another."""

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        self.to(layer.weight)
        self.load_state_dict(layer.state_dict())
        self.train(layer.training)


class WholeBatchNorm(_Norm):
    """Mean and variance over all processes: two passes, as the difference of squares would lose digits."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> the same; every process has the same B, H and W."""
        if not self.training:
            return super().forward(images)
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        mean = _mean(values.mean((0, 2, 3)))
        centred = values - mean[:, None, None]
        variance = _mean(centred.square().mean((0, 2, 3)))
        self._remember(mean.detach(), variance.detach(), dist.get_world_size() * values.numel() // values.shape[1])
        scaled = centred * (self.weight * torch.rsqrt(variance + self.eps))[:, None, None]
        return (scaled + self.bias[:, None, None]).to(images.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked.add_(1)


class _Sum(torch.autograd.Function):
    """Over the processes; so is its gradient."""

    @staticmethod
    def forward(_: Any, ours: Tensor) -> Tensor:
        total = ours.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _mean(ours: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(ours)  # type: ignore[no-untyped-call]
    return total / dist.get_world_size()


class SharesNorm(_Norm):
    """Mean and variance of each share of the batch by itself; what is remembered for tests is the first share's."""

    def __init__(self, layer: nn.BatchNorm2d, here: int) -> None:
        super().__init__(layer)
        self.here = here
        """Shares that this process holds."""

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> the same; B is a multiple of the shares here."""
        if not self.training:
            return super().forward(images)
        first, *others = images.chunk(self.here)
        done = [
            super().forward(first),
            *(F.batch_norm(each, None, None, self.weight, self.bias, True, 0.0, self.eps) for each in others),
        ]
        return torch.cat(done).contiguous(memory_format=CHANNELS_LAST)


class WholeBatchDropout(nn.Dropout):
    """The mask of a single process that held the whole batch: drawn for all, cut for this one."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        if not self.training or not dist.is_initialized():
            return super().forward(features)
        mine = len(features)
        whole = torch.empty(
            (mine * dist.get_world_size(), *features.shape[1:]), dtype=features.dtype, device=features.device
        ).contiguous(memory_format=CHANNELS_LAST)
        kept = whole.bernoulli_(1 - self.p)[dist.get_rank() * mine :][:mine]
        return features * kept / (1 - self.p)
