"""The optional parts of probe: what each is for, and the packages that it needs.

>>> from probe.extras import EXTRAS
>>> EXTRAS["images"].install()
'pip install "scikit-image>=0.25"'
"""

from collections.abc import Mapping
from dataclasses import dataclass


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


# The same as in pyproject.toml. probe itself is not on an index of packages, so its own name helps nobody.
EXTRAS = {
    "dashboard": Extra("the viewer in the browser", {"streamlit": "streamlit>=1.61,<2"}),
    "images": Extra("segments of images", {"skimage": "scikit-image>=0.25"}),
    "hub": Extra(
        "models of Hugging Face, timm and ONNX",
        {"transformers": "transformers>=5", "timm": "timm>=1.0.20", "onnxruntime": "onnxruntime>=1.20"},
    ),
    "export": Extra("networks as ONNX files", {"onnx": "onnx>=1.17", "onnxscript": "onnxscript>=0.5"}),
}
