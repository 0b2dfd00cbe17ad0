"""A trained model as an ONNX file, which other programs run."""

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn

from probe.adapters import written
from probe.errors import DataError, ExistsError, ProbeError
from probe.extras import EXTRAS
from probe_models.files import write_whole
from probe_models.networks.network import Network, TokenNetwork, logits_of
from probe_models.networks.recurrent import Unit
from probe_models.randomness import fixed
from probe_models.zoo import artefact, folder_of
from probe_models.zoo.cards import read_card

NEEDED = tuple(EXTRAS["export"].packages)
INPUT, OUTPUT = "inputs", "answers"


def export(name: str | Path, out: str | Path | None = None) -> Path:
    """Write the ONNX file of a model of the zoo, or of the folder of one that `probe train` wrote.

    The file takes any number of rows as they are in the data, and gives what the network gives: logits (rows, classes),
    or numbers. It holds what its inputs and answers mean, which `probe.from_onnx` reads, and the digest of the weights.

    Args:
        name: the model.
        out: the file; NAME.onnx unless given.

    Raises:
        ExistsError: if there is such a file.
        DataError: if it cannot be written.
        ProbeError: if what makes the file is not installed, or the network cannot be exported.
    """
    folder = folder_of(name)
    path = Path(out) if out is not None else Path(f"{folder.resolve().name}.onnx")
    if path.exists():
        raise ExistsError(f"{path} exists and is left as it is; give another file, or remove it first")
    check_installed()
    model, card = artefact.read(folder), read_card(folder)
    reference = model.space.reference
    if reference is None:
        raise ProbeError(
            f"{card['name']} does not say what an input looks like: its space has no reference; train it again"
        )
    told = written(model.task, model.space) | {
        "name": str(card["name"]),
        "classes": json.dumps(card["classes"]),
        "weights_sha256": card["weights"]["sha256"],
    }
    content = onnx_of(artefact.read_network(folder), reference, told)
    try:
        write_whole(path, content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}; give another file: --out FILE.onnx") from None
    return path


def check_installed() -> None:
    """Raise ProbeError unless what makes the file is there."""
    if missing := [module for module in NEEDED if importlib.util.find_spec(module) is None]:
        raise ProbeError(
            f"an ONNX file is made with {missing[0]}, which is not installed; {EXTRAS['export'].install()} installs it"
        )


def onnx_of(network: Network, rows: Tensor, told: Mapping[str, str] | None = None) -> bytes:
    """The ONNX file of a network in eval mode, which takes any number of rows like the first of these.

    Raises:
        ProbeError: if torch cannot export it.
    """
    dtype = torch.int64 if isinstance(network, TokenNetwork) else next(network.parameters()).dtype
    # torch takes one row for a number that never changes.
    example = rows[:1].expand(2, *rows.shape[1:]).to(dtype).contiguous()
    with _quiet():
        try:
            program = torch.onnx.export(
                _Whole(network),
                (example,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                dynamo=True,
                optimize=False,
                verbose=False,
            )
        except (torch.onnx.OnnxExporterError, torch._dynamo.exc.TorchDynamoException) as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise ProbeError(f"{type(network).__name__} cannot be exported to ONNX: {reason}") from None
    assert program is not None, "with dynamo there is a program"
    proto = program.model_proto
    for key, value in (told or {}).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = proto.SerializeToString()
    return content


class _Whole(nn.Module):
    """A network from inputs as they are in the data, token ids for instance, to its answers."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = with_layers(network.eval())

    def forward(self, inputs: Tensor) -> Tensor:
        return logits_of(self.network, inputs)


class _States(nn.Module):
    """What a recurrent layer of torch's own gives after each word."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, words: Tensor) -> Tensor:
        states: Tensor = self.layer(words)[0]
        return states


def with_layers(network: nn.Module) -> nn.Module:
    """A network whose recurrent units are layers, for which ONNX has an operator; written out they take minutes."""
    units = [name for name, module in network.named_modules() if isinstance(module, Unit)]
    if not units:
        return network
    other = deepcopy(network)
    with fixed(0):  # a layer draws weights before it is given these
        for name in units:
            unit = other.get_submodule(name)
            assert isinstance(unit, Unit), "found as one"
            other.set_submodule(name, _States(unit.layer().eval()))
    return other


@contextmanager
def _quiet() -> Iterator[None]:
    """What torch says about its own insides while it exports is for its makers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
