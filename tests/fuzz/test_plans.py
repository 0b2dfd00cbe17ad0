"""Plans and settings that nobody would write on purpose."""

import json
import random
from dataclasses import fields

import pytest
from probe_models.training.settings import Settings

from probe.audit import plan_from, read_plan
from probe.method import Method
from probe.registry import build, methods
from tests.fuzz.odd import answered, block, cell, changed, spoiled, value

pytestmark = pytest.mark.slow

PLAN = {
    "seed": 3,
    "model": {"factory": "mine:build", "weights": "w.safetensors", "threshold": 0.3},
    "data": {
        "csv": "people.csv",
        "label": "hired",
        "groups": ["sex", "race"],
        "features": ["age", "job"],
        "classes": ["no", "yes"],
        "categories": {"job": ["clerk", "cook"]},
        "sample": 100,
        "missing": ["?"],
        "separator": ";",
        "decimal": ",",
        "encoding": "utf-8",
        "role": "test",
        "split": "test",
    },
    "explain": {"sample": 10, "methods": [{"method": "kernel_shap", "coalitions": 100}, {"method": "lime"}]},
    "attack": {"sample": 10, "eps": ["1/255", "0.1"], "methods": [{"method": "pgd", "steps": 5, "norm": "l2"}]},
    "bias": {"groups": ["sex"], "positive": "yes", "min_group_size": 20},
    "checks": {"accuracy": 0.9, "robust_eps": "0.1", "completeness": 0.1},
}


def written(table: dict, source: random.Random) -> bytes:
    """The plan as TOML. What TOML cannot say is written as it is, and is then no TOML."""
    lines = []

    def entry(value: object) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(str(k))} = {entry(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(entry, value)) + "]"
        return json.dumps(value)

    for key, part in table.items():
        lines.append(f"{json.dumps(str(key))} = {entry(part)}")
    return "\n".join(lines).replace("NaN", "nan").replace("Infinity", "inf").encode("utf-8", "replace")


def plan(seed: int, folder) -> None:
    source = random.Random(seed)
    table = PLAN
    for _ in range(source.randint(1, 3)):
        table = changed(table, source)
    if source.random() < 0.5:
        with answered(seed, table):
            made = plan_from({"name": "odd", **table} if isinstance(table, dict) else {"x": table})
            for form in ("table", "image", "tokens", "graph"):
                made.resolve(form=form)
        return
    text = written(table if isinstance(table, dict) else {"seed": table}, source)
    path = folder / "plan.toml"
    path.write_bytes(spoiled(text, source) if source.random() < 0.4 else text)
    with answered(seed, path.read_bytes()):
        read_plan(path).resolve(form="table")


def setting(seed: int) -> None:
    source = random.Random(seed)
    kind = methods()[source.choice(list(methods()))]
    names = [f.name for f in fields(kind)]
    chosen = {source.choice((*names, *names, cell(source))): value(source) for _ in range(source.randint(1, 2))}
    with answered(seed, (kind, chosen)):
        made = build(methods(), {"method": kind.name(), **chosen})
        assert isinstance(made, Method)
        assert build(methods(), made.config()) == made
        repr(made)
    table = {"epochs": 2, **{f.name: value(source) for f in source.sample(fields(Settings), source.randint(1, 3))}}
    with answered(seed, table):
        Settings.from_toml(table)


@pytest.mark.parametrize("number", range(5))
def test_an_odd_plan_is_made_or_refused_in_a_sentence(number, tmp_path):
    block(number, 340, lambda seed: plan(seed, tmp_path))


@pytest.mark.parametrize("number", range(5))
def test_odd_settings_are_taken_or_refused_in_a_sentence(number):
    block(number, 400, setting)
