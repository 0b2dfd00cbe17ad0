"""What was audited: model, data, machine and plan."""

from collections.abc import Sequence

from probe.audit.bundle import Bundle
from probe.audit.strict import plain
from probe.audit.toml import to_toml
from probe.formatting import count
from probe.report.blocks import Block, Listing, Section, Table
from probe.report.sections.common import drawer
from probe.text import visible

NAMES = 60  # features or classes that are listed


def section(bundle: Bundle) -> Section:
    """Model, data and machine as tables, and the plan in full."""
    manifest = bundle.manifest
    model, data = manifest.model, manifest.data
    shape = " × ".join(map(str, data.shape))  # noqa: RUF001 - a multiplication sign is meant
    kinds = dict.fromkeys(data.kinds)
    described = [f"{sum(k == kind for k in data.kinds)} {kind}" for kind in kinds]
    facts = [
        ("name", data.name),
        ("rows audited", count(data.n)),
        ("source and licence", data.source or "not stated"),
        ("SHA-256 of the rows", data.sha256),
        ("form and shape of an input", f"{data.form['name']}, {shape}"),
        ("features", f"{len(data.features)}{': ' + ', '.join(described) if described else ''}"),
        *([] if drawer(bundle).named_in_words else [("names of the features", _list(data.features))]),
        ("attributes with groups", _list(data.groups) or "none declared"),
    ]
    blocks: list[Block] = [
        Table(
            (),
            [
                ("name", model.name),
                ("SHA-256 of the weights", model.sha256 or "none: the model is a function without a module"),
                ("classes", _list(model.classes)),
                ("decision", manifest.task.in_words() or "the most likely class"),
            ],
            caption="The model",
        ),
        Table((), facts, caption="The data"),
        Table(
            (),
            [(key, str(value)) for key, value in manifest.machine.items()],
            caption="Machine and versions",
        ),
        Listing(to_toml(plain(manifest.plan)), "The plan as it was run, with every default written out"),
    ]
    return Section("subject", "What was audited", blocks)


def _list(names: Sequence[str]) -> str:
    listed = ", ".join(visible(name, 80) for name in names[:NAMES])
    return f"{listed}, and {len(names) - NAMES:,} more" if len(names) > NAMES else listed
