"""Adapters from users' models to Model: modules with weights, Hugging Face folders, ONNX files, estimators.

Files are inspected before they are opened: nothing is unpickled, and declared sizes are verified.
"""

from probe.adapters.archive import read_state_dict
from probe.adapters.black_box import from_predict_proba
from probe.adapters.check import check_fit, check_model
from probe.adapters.estimator import from_estimator
from probe.adapters.estimator_task import labels_of, task_of
from probe.adapters.factory import from_factory, function_of
from probe.adapters.huggingface import encoded, from_transformers, token_ids
from probe.adapters.module import from_module
from probe.adapters.onnx import from_onnx
from probe.adapters.onnx_told import told, written
from probe.adapters.parts import from_parts
from probe.adapters.safetensor import read_safetensors
from probe.adapters.timm import from_timm, timm_classes, timm_size
from probe.adapters.weights import load_weights

__all__ = [
    "check_fit",
    "check_model",
    "encoded",
    "from_estimator",
    "from_factory",
    "from_module",
    "from_onnx",
    "from_parts",
    "from_predict_proba",
    "from_timm",
    "from_transformers",
    "function_of",
    "labels_of",
    "load_weights",
    "read_safetensors",
    "read_state_dict",
    "task_of",
    "timm_classes",
    "timm_size",
    "token_ids",
    "told",
    "written",
]
