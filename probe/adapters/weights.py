"""Weights for a user's module, from a file of any supported format."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from probe.adapters.archive import SUFFIXES, read_state_dict
from probe.adapters.safetensor import Declared, declared, read_safetensors
from probe.errors import ShapeError


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Load weights into a module that has exactly those tensors, from safetensors or a state dict of torch.save.

    Names may begin with `module.` (DataParallel) or hold `_orig_mod.` (torch.compile): both are left out.

    Raises:
        UnsafeError: if the file is, or could hold, more than tensors; it is not opened further.
        DataError: if it is missing, cut short, or declares more than it holds.
        ShapeError: if names or shapes differ, with the differences.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from probe import load_weights
    >>> net, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> with TemporaryDirectory() as folder:
    ...     torch.save(net.state_dict(), Path(folder, "net.pt"))
    ...     load_weights(other, Path(folder, "net.pt"))
    >>> torch.equal(other.weight, net.weight)
    True
    """
    path = Path(path)
    if path.suffix in SUFFIXES:
        tensors = read_state_dict(path)
        found = {name: Declared(tuple(t.shape), t.is_floating_point()) for name, t in tensors.items()}
        names = match(path, found, module.state_dict())
    else:
        # Compared by the header alone: no memory is taken for what does not fit.
        names = match(path, declared(path), module.state_dict())
        tensors = read_safetensors(path)
    module.load_state_dict({name: tensors[there] for name, there in names.items()}, strict=False)


def match(path: Path, found: Mapping[str, Declared], wanted: Mapping[str, Tensor]) -> dict[str, str]:
    """The file's name for each of the module's tensors.

    Raises:
        ShapeError: with all that is missing, unexpected or misshapen.
    """
    own: dict[str, str] = {}
    unexpected = []
    for name in found:
        bare = name if name in wanted else _bare(name)
        if bare in own or bare not in wanted:
            unexpected.append(name)
        else:
            own[bare] = name
    # Two names of one tensor, as of a head that is tied to the embedding, may be one in the file.
    there = {_memory(wanted[name]) for name in own}
    missing = [name for name, tensor in wanted.items() if name not in own and _memory(tensor) not in there]
    lines = [f"missing {name} {tuple(wanted[name].shape)}" for name in missing]
    lines += [f"unexpected {name} {found[name].shape}" for name in unexpected]
    lines += [line for name, there in own.items() if (line := _misfit(name, found[there], wanted[name]))]
    if lines:
        raise ShapeError(f"{path.name} does not fit the module:\n  " + "\n  ".join(lines))
    return own


def _misfit(name: str, found: Declared, wanted: Tensor) -> str:
    if found.shape != wanted.shape:
        return f"{name}: the file has {found.shape}, the module {tuple(wanted.shape)}"
    kinds = {True: "decimal numbers", False: "whole numbers"}
    if found.decimal != wanted.is_floating_point():
        return f"{name}: the file has {kinds[found.decimal]}, the module {kinds[not found.decimal]}"
    return ""


def _bare(name: str) -> str:
    return name.replace("_orig_mod.", "").removeprefix("module.")


def _memory(tensor: Tensor) -> object:
    """What two names of the same tensor have in common; without memory, as on the meta device, nothing."""
    return (tensor.data_ptr(), tensor.shape) if tensor.data_ptr() else object()
