"""Helpers for tensors: pass sizes, private random generators, digests."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

# Input coordinates per pass. On a CPU passes of 167 images of 28x28, or 1,400 rows of 91 columns, were the fastest;
# four times as large they outgrow its caches and took 1.3 times (a small CNN) to 2 times (an MLP) as long for each row.
# Accelerators need larger passes. Even passes may be a quarter longer than this: 125 to 156 images, which hold a tenth
# less memory than 167 at 1 to 3 % more time.
COORDINATES = {"cpu": 3 * 2**15}
COORDINATES_ACCELERATOR = 2**23


def rows_per_pass(inputs: Tensor) -> int:
    """The number of rows like those of `inputs` in one pass through a model."""
    budget = COORDINATES.get(inputs.device.type, COORDINATES_ACCELERATOR)
    return max(1, budget // max(1, inputs[:1].numel()))


def spans(total: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover `total` rows."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def even_spans(total: int, size: int) -> Iterator[slice]:
    """Slices of nearly equal length that cover `total` rows, each at most a quarter longer than `size`.

    A short last pass would cost as many calls as a full one.
    """
    return spans(total, max(1, -(-total // max(1, -(-4 * total // (5 * size))))))


def generator(seed: int, device: torch.device) -> torch.Generator:
    """A private random generator; the global random state is never used."""
    return torch.Generator(device).manual_seed(seed)


def exact(device: torch.device) -> torch.device:
    """The device for float64 computations: the given one, or the CPU for an Apple GPU, which has no float64."""
    return torch.device("cpu") if device.type == "mps" else device


@lru_cache(maxsize=256)
def constant(values: tuple[bool | int | float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A small constant tensor, cached per device, as each copy synchronises; do not modify it."""
    return torch.tensor(values, dtype=dtype, device=device)


def parted(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The indices of unselected and selected rows, in order, with one synchronisation."""
    others = len(chosen) - int(chosen.sum())
    if others == len(chosen):
        order = torch.arange(others, device=chosen.device)
    else:
        order = chosen.to(torch.uint8).argsort(stable=True)
    return order[:others], order[others:]


def unequal(one: Tensor, other: Tensor) -> Tensor:
    """Where numbers differ; NaN equals NaN."""
    return (one != other) & ~(one.isnan() & other.isnan())


def among(rows: Tensor, others: Tensor) -> Tensor:
    """Which rows are equal to one of the others, (rows,); NaN equals NaN."""
    known = {*row_digests(others.to(rows.dtype))}
    return torch.tensor([digest in known for digest in row_digests(rows)], dtype=torch.bool)


def row_digests(rows: Tensor) -> Iterator[bytes]:
    """A digest of each row; rows with equal numbers have the same, also where they are NaN."""
    plain = rows.detach().cpu().flatten(1)
    if plain.is_floating_point():
        plain = torch.where(plain.isnan(), torch.nan, plain + 0.0)  # one NaN, and one zero
    return (hashlib.blake2b(_bytes(row), digest_size=16).digest() for row in plain)


def wide(tensor: Tensor) -> Tensor:
    """Half precision as float32, as sums would lose digits or overflow; other dtypes unchanged."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor


def to_numpy(tensor: Tensor) -> NDArray[Any]:
    """A tensor as a numpy array; bfloat16, which numpy lacks, becomes float32."""
    tensor = tensor.detach().cpu()
    array: NDArray[Any] = (wide(tensor) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def column(per_example: Tensor, like: Tensor) -> Tensor:
    """View one number per example so that it broadcasts over the rows of `like`."""
    return per_example.view(-1, *[1] * (like.ndim - 1))


def sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of named tensors: names, dtypes, shapes and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(_bytes(tensor) if tensor.numel() else b"")
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    """The bytes of a tensor of any dtype."""
    # A tensor with one entry counts as contiguous whatever its stride, and then cannot be viewed as bytes.
    flat = tensor.flatten().clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().tobytes()
