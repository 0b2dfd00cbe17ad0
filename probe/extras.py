"""The packages that probe needs, and its optional parts: what each is for, and what that needs.

>>> from probe.extras import EXTRAS
>>> EXTRAS["images"].install()
'pip install "scikit-image>=0.25"'
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from probe.errors import ProbeError, Unsupported


@dataclass(frozen=True)
class Extra:
    """An optional part.

    Attributes:
        purpose: what cannot be done without it.
        packages: the requirement of each module that it imports.
    """

    purpose: str
    packages: Mapping[str, str]

    def install(self) -> str:
        """The command that installs its packages."""
        return "pip install " + " ".join(f'"{requirement}"' for requirement in self.packages.values())


# Both as in pyproject.toml: the requirement of each module that is imported.
NEEDED = {
    "torch": "torch>=2.10",
    "numpy": "numpy>=2",
    "scipy": "scipy>=1.15",
    "pandas": "pandas>=2.2",
    "matplotlib": "matplotlib>=3.10",
    "sklearn": "scikit-learn>=1.6",
    "safetensors": "safetensors>=0.5",
    "jaxtyping": "jaxtyping>=0.3",
    "jinja2": "jinja2>=3.1",
    "typer": "typer>=0.20",
    "rich": "rich>=14",
    "PIL": "pillow>=11",
}
# probe itself is not on an index of packages, so its own name helps nobody.
EXTRAS = {
    "dashboard": Extra("the viewer in the browser", {"streamlit": "streamlit>=1.61,<2"}),
    "images": Extra("segments of images", {"skimage": "scikit-image>=0.25"}),
    "hub": Extra(
        "models of Hugging Face, timm and ONNX",
        {"transformers": "transformers>=5", "timm": "timm>=1.0.20", "onnxruntime": "onnxruntime>=1.20"},
    ),
    "peers": Extra(
        "explainers and attacks of other packages",
        {
            "captum": "captum>=0.9",
            "shap": "shap>=0.51",
            "lime": "lime>=0.2",
            "skimage": "scikit-image>=0.25",
            "foolbox": "foolbox>=3.3.4",
            "art": "adversarial-robustness-toolbox>=1.20",
        },
    ),
    "ray": Extra("audits, studies and trainings on a Ray cluster", {"ray": "ray>=2.40"}),
    "slurm": Extra("audits, studies and trainings on Slurm", {"submitit": "submitit>=1.5"}),
    "export": Extra("networks as ONNX files", {"onnx": "onnx>=1.17", "onnxscript": "onnxscript>=0.5"}),
}


def imported(module: str, extra: str) -> Any:
    """A module of an optional part.

    Raises:
        ProbeError: if it cannot be imported, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        needed = module.partition(".")[0]
        raise ProbeError(
            f"this needs {needed}, which cannot be imported ({error}); {EXTRAS[extra].install()} installs it"
        ) from None


@contextmanager
def running(module: str, cannot: str, instead: str) -> Iterator[None]:
    """A block that runs a module of an optional part, which may raise anything.

    Raises:
        Unsupported: if it raises, with what `cannot` be done, what it raised, and what to do `instead`.
    """
    try:
        yield
    except ProbeError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise Unsupported(
            f"{cannot}: {module.partition('.')[0]} raised {type(error).__name__}: {said}; {instead}"
        ) from error
