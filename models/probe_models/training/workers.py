"""Distributed training by processes that `torchrun` starts."""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from probe_models.training.objectives import Batch, Objective
from probe_models.training.settings import Settings


@dataclass(frozen=True)
class Workers:
    """The rank of this process and the number of processes; a single one by default."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def rows(self, count: int) -> range | None:
        """The slice of rows of this process; None if there is only one process."""
        return None if self.count == 1 else range(self.rank, count, self.count)

    def share(self, batch: Batch) -> Batch:
        """The rows of a batch for this process."""
        return batch if self.count == 1 else batch[slice(self.rank, None, self.count)]

    def shards(self, settings: Settings) -> bool:
        """Whether weights are sharded."""
        return self.count > 1 and settings.parallel == "sharded"

    def spread(self, objective: Objective, settings: Settings) -> nn.Module:
        """The objective wrapped so that gradients are averaged over the processes."""
        if self.shards(settings):
            from torch.distributed.fsdp import fully_shard  # takes a second, which other trainings would wait for too

            fully_shard(objective)
            return objective
        if self.count == 1:
            return objective
        return DistributedDataParallel(objective, find_unused_parameters=bool(settings.freeze))

    def add(self, values: Tensor) -> Tensor:
        """All-reduce: the sum over the processes, in place."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def agree(self, values: Tensor) -> Tensor:
        """Broadcast the numbers of the first process, so that all make the same choice despite rounding."""
        if self.count > 1:
            dist.broadcast(values, src=0)
        return values


@contextmanager
def distributed(device: torch.device) -> Iterator[Workers]:
    """Join the processes that `torchrun` started, until this one ends; a single process without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Workers()
        return
    # Only once per process: joining again early would find the old addresses.
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    yield Workers(dist.get_rank(), dist.get_world_size())
    # No process leaves while another still communicates.
    dist.barrier()


def whole(tensor: Tensor) -> Tensor:
    """The full tensor of a sharded one."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
