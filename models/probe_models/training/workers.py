"""Several processes that train one network together, as `torchrun` starts them."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from probe_models.training.objectives import Batch, Objective
from probe_models.training.settings import Settings


@dataclass(frozen=True)
class Workers:
    """This process among those that train together; alone unless told otherwise."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def rows(self, count: int) -> range | None:
        """Which of so many rows this process works on, together the processes on each once; None if it is alone."""
        return None if self.count == 1 else range(self.rank, count, self.count)

    def share(self, batch: Batch) -> Batch:
        """Those rows of a batch."""
        return batch if self.count == 1 else batch[slice(self.rank, None, self.count)]

    def shards(self, settings: Settings) -> bool:
        """Whether each process holds a part of the weights only."""
        return self.count > 1 and settings.parallel == "sharded"

    def spread(self, objective: Objective, settings: Settings) -> nn.Module:
        """The objective with gradients that are the mean over the processes."""
        if self.shards(settings):
            fully_shard(objective)
            return objective
        if self.count == 1:
            return objective
        return DistributedDataParallel(objective, find_unused_parameters=bool(settings.freeze))

    def add(self, values: Tensor) -> Tensor:
        """The sum of the processes' numbers, which takes their place."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def agree(self, values: Tensor) -> Tensor:
        """The first process's numbers, so that rounding never makes one stop and another go on."""
        if self.count > 1:
            dist.broadcast(values, src=0)
        return values


@contextmanager
def distributed(device: torch.device) -> Iterator[Workers]:
    """Join the processes that `torchrun` started, until this one ends; alone without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Workers()
        return
    # Once, however many networks are trained: who joined again early would find the addresses of the time before.
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    yield Workers(dist.get_rank(), dist.get_world_size())
    # Nobody leaves while another still talks.
    dist.barrier()


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process may hold a part only, with all its parts."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
