"""An ONNX file as a black box, run by onnxruntime on the CPU."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from probe.adapters.black_box import are_probabilities, log_probabilities
from probe.adapters.check import ROWS, check_model
from probe.adapters.onnx_file import files
from probe.adapters.onnx_told import told
from probe.adapters.optional import library
from probe.errors import DataError, ForwardError, ProbeError, ShapeError, Unsupported
from probe.model import Model
from probe.space import Space
from probe.task import Task
from probe.tensors import generator

TYPES = {"float": np.float32, "double": np.float64, "float16": np.float16, "int64": np.int64, "int32": np.int32}


def from_onnx(
    path: str | Path,
    space: Space | None = None,
    classes: tuple[str, ...] = (),
    name: str = "",
    *,
    task: Task | None = None,
    part: str | int | None = None,
) -> Model:
    """A black box from an ONNX file with one input (rows, ...) and one output of decimal numbers.

    Whether class outputs are logits or probabilities is detected on the reference rows, or on random rows if the file
    fixes their shape. Only operators of onnxruntime are loaded, on the CPU. A file from `probe export` contains its
    task and space.

    Args:
        path: the file; external data files must be beside it.
        space: the space of its inputs; by default from the file.
        classes: the names of the classes; short for `task=Classification(classes)`.
        name: of the model; by default the file name.
        task: what its outputs mean, as in `from_module`; by default from the file, unless classes are given.
        part: the name or index of the output to study, if there are several of floating type.

    Raises:
        UnsafeError: if the file names files outside its folder.
        DataError: if it is damaged, declares more than its files hold, or onnxruntime cannot run it.
        Unsupported: if it has unsuitable inputs or outputs.
        ShapeError: if its input shape differs from the examples of the space.
        ForwardError: if it fails on the first rows.

    >>> from probe import Space, from_onnx  # doctest: +SKIP
    >>> model = from_onnx("loans.onnx", Space(names=("age", "debt")), classes=("no", "yes"))  # doctest: +SKIP
    """
    path = Path(path)
    network, own = _Network(path, part), told(path)
    space = space or own.space
    if space is None:
        raise ProbeError(f"{path.name} does not say what its inputs mean; give a space: Space(reference=rows)")
    rows = _rows(network, space)
    if task is None and not classes:
        task = own.task
    names = task.names if task is not None else classes
    if own.task is not None and own.task.names != names and sorted(own.task.names) == sorted(names):
        there = ", ".join(own.task.names)
        raise ProbeError(f"{path.name} says that its outputs are, in this order: {there}; leave classes and task out")
    named: dict[str, Any] = {"task": task} | ({"classes": classes} if classes else {})
    model = Model(forward=network.eval(), space=space, name=name or path.stem, **named)
    if model.task.kind == "classification" and "softmax" in model.task.suspects:
        network.gives_probabilities = are_probabilities(network.answer(rows))
    check_model(model, rows)
    return model


class _Network(nn.Module):
    """An onnxruntime session, identified in audits by the digest of its files."""

    def __init__(self, path: Path, part: str | int | None) -> None:
        super().__init__()
        parts = files(path)
        self.register_buffer("sha256", torch.stack([_digest(part) for part in parts]))
        self.name, self.session, self.gives_probabilities = path.name, _session(path), False
        inputs = self.session.get_inputs()
        kind = inputs[0].type.removeprefix("tensor(").removesuffix(")") if inputs else ""
        if len(inputs) != 1 or kind not in TYPES:
            found = ", ".join(f"{i.name}: {i.type}" for i in inputs) or "none"
            raise Unsupported(f"{path.name} has the inputs {found}; expected one, a tensor of numbers")
        self.input, self.numbers, self.shape = inputs[0].name, TYPES[kind], inputs[0].shape
        self.output = _output(path, self.session.get_outputs(), part)

    def forward(self, inputs: Tensor) -> Tensor:
        answer = self.answer(inputs)
        logits = (
            log_probabilities(answer, len(inputs), self.name) if self.gives_probabilities else torch.from_numpy(answer)
        )
        # Token ids are integers, but outputs are not.
        return logits.to(inputs) if inputs.is_floating_point() else logits.to(inputs.device)

    def answer(self, inputs: Tensor) -> NDArray[Any]:
        """The outputs for these rows, (rows, ...)."""
        self.check(tuple(inputs.shape[1:]))
        rows = inputs.detach().cpu().numpy().astype(self.numbers)
        size = self.shape[0] if self.shape and _fixed(self.shape[0]) else len(rows)
        # A file with a fixed batch size gets that many rows; padding rows are dropped from the outputs.
        padded = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % size, axis=0)])
        parts = [self._run(padded[start : start + size]) for start in range(0, len(padded), size)]
        return np.concatenate(parts)[: len(rows)]

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ShapeError for examples that do not fit the declared shape, if there is one."""
        declared = tuple(self.shape[1:])
        fits = len(declared) == len(shape) and all(
            own == side for own, side in zip(declared, shape, strict=True) if _fixed(own)
        )
        if self.shape and not fits:
            raise ShapeError(
                f"{self.name} reads examples of shape {declared}, and those of the space have {shape}; give it the "
                "columns that it was trained on, in the same order"
            )

    def _run(self, rows: NDArray[Any]) -> NDArray[Any]:
        try:
            answer = np.asarray(self.session.run([self.output], {self.input: rows})[0])
        except Exception as error:  # onnxruntime's errors have no common base class
            raise ForwardError(f"{self.name} failed on inputs of shape {rows.shape}: {_reason(error)}") from None
        if answer.ndim == 0 or len(answer) != len(rows) or answer.dtype.kind != "f":
            raise ShapeError(
                f"{self.name} returned {answer.dtype} {answer.shape} for {len(rows)} rows, expected decimal numbers "
                f"for each row, such as ({len(rows)}, classes)"
            )
        return answer


def _fixed(side: Any) -> bool:
    return isinstance(side, int) and side > 0


def _digest(path: Path) -> Tensor:
    with path.open("rb") as file:
        return torch.tensor(list(hashlib.file_digest(file, "sha256").digest()), dtype=torch.uint8)


def _session(path: Path) -> Any:
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # errors are raised; warnings concern the exporter
    options.use_deterministic_compute = True
    # The suffix of a file could select another format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base class
        raise DataError(
            f"onnxruntime cannot run {path.name}: {_reason(error)}; operators from other libraries are code, "
            "and not loaded"
        ) from None


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _output(path: Path, outputs: list[Any], part: str | int | None) -> str:
    found = ", ".join(f"{o.name}: {o.type}" for o in outputs)
    named = [o for at, o in enumerate(outputs) if part is None or part in (at, o.name)]
    decimal = [o for o in named if o.type in ("tensor(float)", "tensor(double)", "tensor(float16)")]
    if not named:
        raise Unsupported(f"{path.name} has the outputs {found}, and part={part!r} is none of them; name one of these")
    if len(decimal) != 1:
        which = f"; name the one to study: part={decimal[0].name!r}, say" if decimal else ""
        raise Unsupported(
            f"{path.name} has the outputs {found}; expected one tensor of decimal numbers (from scikit-learn: convert "
            f"with options={{'zipmap': False}}){which}"
        )
    return str(decimal[0].name)


def _rows(network: _Network, space: Space) -> Tensor:
    """Sample rows: those of the reference, or random ones of the file's shape within the bounds."""
    if space.reference is not None:
        return space.reference[:ROWS].to(torch.get_default_dtype())
    shape = network.shape[1:]
    if not shape or not all(map(_fixed, shape)):
        raise ProbeError(
            f"{network.name} leaves the shape of its input open ({network.shape}); set Space(reference=rows)"
        )
    for bound in space.bounds:
        if isinstance(bound, Tensor) and bound.ndim:
            network.check(tuple(bound.shape))
    low, high = (
        torch.as_tensor(b, dtype=torch.get_default_dtype()).nan_to_num(posinf=1, neginf=-1) for b in space.bounds
    )
    return low + (high - low) * torch.rand(ROWS, *shape, generator=generator(0, torch.device("cpu")))
