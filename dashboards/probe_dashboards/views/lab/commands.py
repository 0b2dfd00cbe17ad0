"""How what the lab shows is had from the shell and from Python."""

import shlex
from collections.abc import Mapping
from typing import Any

from probe.lab import Source

Told = tuple[str, str]  # a command, and Python; both empty where neither can name the input


def explained(source: Source, row: Mapping[str, Any], request: Mapping[str, Any]) -> Told:
    """The command and the Python that explain a row of the data."""
    if set(row) != {"row"}:
        return "", ""
    at, method = row["row"], request["method"]
    target = ["--target", request["target"]] if request.get("target") else []
    shell = [
        "probe",
        "explain",
        *_named(source),
        "--rows",
        str(at),
        "--method",
        method["method"],
        *_set(method),
        *target,
    ]
    targets = f", targets=torch.tensor([model.task.index({request['target']!r})])" if target else ""
    python = "\n".join(
        [
            *(["import torch", ""] if target else []),
            "from probe.registry import build, discover",
            "",
            *_opened(source),
            f"method = build(discover('explainer'), {dict(method)!r})",
            f"method(model, data.inputs[{at}:{at + 1}]{targets})",
        ]
    )
    return shlex.join(shell), python


def attacked(source: Source, row: Mapping[str, Any], request: Mapping[str, Any], budget: str) -> Told:
    """The Python that attacks a row of the data at each budget. The command attacks samples of rows, not a row."""
    if set(row) != {"row"} or request.get("against") == "answer":
        return "", ""
    at, method = row["row"], request["method"]
    sizes = [f"eps={request['eps']!r}"] if request["eps"] and budget == "eps" else []
    python = "\n".join(
        [
            "from probe import sweep" if sizes else "from probe.registry import build, discover",
            *(["from probe.registry import build, discover"] if sizes else []),
            "",
            *_opened(source),
            f"attack = build(discover('attack'), {dict(method)!r})",
            f"row = data[{at}:{at + 1}]",
            f"[each(model, row.inputs, row.labels) for each in sweep(attack, {sizes[0]})]"
            if sizes
            else "attack(model, row.inputs, row.labels)",
        ]
    )
    return "", python


def _named(source: Source) -> list[str]:
    return ["--plan", source.plan] if source.plan else [source.zoo]


def _set(method: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key, value in method.items():
        if key == "method":
            continue
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        for name, each in inner:
            whose = key if name in ("", "method") else f"{key}.{name}"
            found += ["--set", f"{whose}={each}"]
    return found


def _opened(source: Source) -> list[str]:
    if source.plan:
        return [
            "from pathlib import Path",
            "from probe.cli.sources import open_both, plan_in",
            "",
            f"model, data = open_both(plan_in(Path({source.plan!r})))",
        ]
    return [
        "from probe.cli.sources import open_both, plan_of",
        "",
        f"model, data = open_both(plan_of({source.zoo!r}))",
    ]
