"""probe: explain, attack and audit a trained model.

Everything here is loaded on first use, so that `import probe` stays fast and torch-free.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from probe.version import __version__ as __version__

if TYPE_CHECKING:
    from probe import (
        attacks,
        bias,
        certificates,
        counterfactuals,
        explainers,
        metrics,
        plots,
        report,
        study,
        surveys,
    )
    from probe.adapters import (
        check_model,
        from_estimator,
        from_factory,
        from_module,
        from_onnx,
        from_parts,
        from_predict_proba,
        from_timm,
        from_transformers,
        load_weights,
        read_safetensors,
        read_state_dict,
        token_ids,
    )
    from probe.auditing import audit  # the package is this function too
    from probe.bypassed import passing
    from probe.checkpoint import Checkpoint
    from probe.contracts import Attack, Certificate, Counterfactual, Explainer, Metric, Survey, Trainer, predict
    from probe.dataset import Dataset
    from probe.errors import ProbeError
    from probe.expectation import averaged
    from probe.features import squares, stretches
    from probe.images import from_folder, from_npz, pasted, segments
    from probe.loading import load
    from probe.method import Method, sweep
    from probe.model import Model
    from probe.outcomes import Certification, Examination
    from probe.results import Attribution, Counterfactuals, Perturbation, Prediction, Scores
    from probe.showing import show
    from probe.space import Space
    from probe.tables import from_csv
    from probe.task import Classification, MultiLabel, Places, Regression

_HOME = {
    "check_model": "adapters",
    "from_estimator": "adapters",
    "from_factory": "adapters",
    "from_module": "adapters",
    "from_onnx": "adapters",
    "from_parts": "adapters",
    "from_predict_proba": "adapters",
    "from_timm": "adapters",
    "from_transformers": "adapters",
    "load_weights": "adapters",
    "read_safetensors": "adapters",
    "read_state_dict": "adapters",
    "token_ids": "adapters",
    "averaged": "expectation",
    "passing": "bypassed",
    "Attack": "contracts",
    "Certificate": "contracts",
    "Counterfactual": "contracts",
    "Explainer": "contracts",
    "Metric": "contracts",
    "Survey": "contracts",
    "Trainer": "contracts",
    "Checkpoint": "checkpoint",
    "Dataset": "dataset",
    "from_csv": "tables",
    "Classification": "task",
    "MultiLabel": "task",
    "Places": "task",
    "Regression": "task",
    "ProbeError": "errors",
    "from_folder": "images",
    "from_npz": "images",
    "pasted": "images",
    "segments": "images",
    "Method": "method",
    "Model": "model",
    "Certification": "outcomes",
    "Examination": "outcomes",
    "Attribution": "results",
    "Counterfactuals": "results",
    "Perturbation": "results",
    "Prediction": "results",
    "Scores": "results",
    "Space": "space",
    "squares": "features",
    "stretches": "features",
    "load": "loading",
    "show": "showing",
    "predict": "contracts",
    "sweep": "method",
}
_PACKAGES = (
    "attacks",
    "audit",
    "bias",
    "certificates",
    "counterfactuals",
    "explainers",
    "metrics",
    "plots",
    "report",
    "study",
    "surveys",
    "zoo",
)

__all__ = [
    "Attack",
    "Attribution",
    "Certificate",
    "Certification",
    "Checkpoint",
    "Classification",
    "Counterfactual",
    "Counterfactuals",
    "Dataset",
    "Examination",
    "Explainer",
    "Method",
    "Metric",
    "Model",
    "MultiLabel",
    "Perturbation",
    "Places",
    "Prediction",
    "ProbeError",
    "Regression",
    "Scores",
    "Space",
    "Survey",
    "Trainer",
    "attacks",
    "audit",
    "averaged",
    "bias",
    "certificates",
    "check_model",
    "counterfactuals",
    "explainers",
    "from_csv",
    "from_estimator",
    "from_factory",
    "from_folder",
    "from_module",
    "from_npz",
    "from_onnx",
    "from_parts",
    "from_predict_proba",
    "from_timm",
    "from_transformers",
    "load",
    "load_weights",
    "metrics",
    "passing",
    "pasted",
    "plots",
    "predict",
    "read_safetensors",
    "read_state_dict",
    "report",
    "segments",
    "show",
    "squares",
    "stretches",
    "study",
    "surveys",
    "sweep",
    "token_ids",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"probe.{name}")
    if name in _HOME:
        return getattr(import_module(f"probe.{_HOME[name]}"), name)
    raise AttributeError(f"module 'probe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
