"""Small services around tensors: how many rows fit in one pass, private randomness, digests."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

# Input coordinates per pass. On a CPU passes of 167 images of 28x28, or 1,400 rows of 91 columns, were the fastest;
# four times as large they outgrow its caches and took 1.3 times (a small CNN) to 2 times (an MLP) as long for each row.
# An accelerator wants more work at a time.
COORDINATES = {"cpu": 2**17}
COORDINATES_ACCELERATOR = 2**23


def rows_per_pass(inputs: Tensor) -> int:
    """How many rows shaped like those of `inputs` go through the model together."""
    budget = COORDINATES.get(inputs.device.type, COORDINATES_ACCELERATOR)
    return max(1, budget // max(1, inputs[:1].numel()))


def spans(total: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover `total` rows."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def generator(seed: int, device: torch.device) -> torch.Generator:
    """A private source of randomness: global random state is never read or changed."""
    return torch.Generator(device).manual_seed(seed)


def exact(device: torch.device) -> torch.device:
    """Where to reckon in float64: on the device, but on the CPU beside an Apple GPU, which has no float64."""
    return torch.device("cpu") if device.type == "mps" else device


@lru_cache(maxsize=256)
def constant(values: tuple[bool | int | float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A few numbers as a tensor, brought to a device once, since it is waited for each time; do not change it."""
    return torch.tensor(values, dtype=dtype, device=device)


def parted(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that are not chosen, and those that are, in their order, by one look at the device."""
    order = chosen.to(torch.uint8).argsort(stable=True)
    others = len(chosen) - int(chosen.sum())
    return order[:others], order[others:]


def unequal(one: Tensor, other: Tensor) -> Tensor:
    """Where numbers differ. What is missing (NaN) equals what is missing."""
    return (one != other) & ~(one.isnan() & other.isnan())


def among(rows: Tensor, others: Tensor) -> Tensor:
    """Which rows are among others, number for number, (rows,); what is missing equals what is missing."""
    known = {*_digests(others.to(rows.dtype))}
    return torch.tensor([digest in known for digest in _digests(rows)], dtype=torch.bool)


def _digests(rows: Tensor) -> Iterator[bytes]:
    plain = rows.detach().cpu().flatten(1)
    if plain.is_floating_point():
        plain = torch.where(plain.isnan(), torch.nan, plain + 0.0)  # one NaN, and one zero
    return (hashlib.blake2b(_bytes(row), digest_size=16).digest() for row in plain)


def wide(tensor: Tensor) -> Tensor:
    """Half precision in single, where sums and lengths would lose digits, or overflow; all else as it is."""
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() < 4 else tensor


def to_numpy(tensor: Tensor) -> NDArray[Any]:
    """The numbers of a tensor; bfloat16, which numpy lacks, as the same numbers in float32."""
    tensor = tensor.detach().cpu()
    array: NDArray[Any] = (wide(tensor) if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def column(per_example: Tensor, like: Tensor) -> Tensor:
    """View one number per example so that it broadcasts over the rows of `like`."""
    return per_example.view(-1, *[1] * (like.ndim - 1))


def sha256(tensors: Mapping[str, Tensor]) -> str:
    """Digest of named tensors: names, dtypes, shapes and bytes, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(_bytes(tensor) if tensor.numel() else b"")
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    """The numbers of a tensor on the CPU, bit by bit, whatever their type."""
    # What has one entry counts as contiguous whatever its stride, and cannot be viewed as bytes then.
    flat = tensor.flatten().clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().tobytes()
