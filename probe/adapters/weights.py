"""Weights for a user's module, from a file of any supported format."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from probe.adapters.archive import SUFFIXES, read_state_dict
from probe.adapters.safetensor import Declared, declared, read_safetensors
from probe.errors import ShapeError


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Load weights into a module that has exactly those tensors, from safetensors or a state dict of torch.save.

    Names may start with `module.` (DataParallel) or contain `_orig_mod.` (torch.compile): both are removed.

    Raises:
        UnsafeError: if the file is or could be more than tensors; it is not opened further.
        DataError: if it is missing, truncated, or declares more than it holds.
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
        # Compared by the header only, so that nothing that does not fit takes memory.
        names = match(path, declared(path), module.state_dict())
        tensors = read_safetensors(path)
    module.load_state_dict({name: tensors[there] for name, there in names.items()}, strict=False)


def match(path: Path, found: Mapping[str, Declared], wanted: Mapping[str, Tensor]) -> dict[str, str]:
    """The name in the file of each of the module's tensors.

    Raises:
        ShapeError: with all missing, unexpected or wrongly shaped tensors.
    """
    own: dict[str, str] = {}
    unexpected = []
    for name in found:
        bare = name if name in wanted else _bare(name)
        if bare in own or bare not in wanted:
            unexpected.append(name)
        else:
            own[bare] = name
    # Two names of a shared tensor, such as a head tied to the embedding, may be stored once.
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
    """The memory of a tensor, which shared tensors have in common; None on the meta device."""
    return (tensor.data_ptr(), tensor.shape) if tensor.data_ptr() else object()
