"""An audit in a notebook, as the first page of the report and of the viewer show it."""

from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

import pandas as pd

from probe import fragments
from probe.audit import Bundle, read, reading, verify
from probe.formatting import count
from probe.statuses import STATUSES, look


@dataclass(frozen=True, eq=False, repr=False)
class Shown:
    """An audit that was verified: in a notebook its first page, elsewhere the same in a few lines."""

    bundle: Bundle
    rows: int = field(default=200, kw_only=True)  # findings of an aspect that are listed

    def __repr__(self) -> str:
        return "\n  ".join(self._lines())

    def _repr_html_(self) -> str:
        bundle = self.bundle
        parts = [fragments.told(self._lines())]
        for part in reading.register(bundle.manifest):
            table = fragments.table(fragments.findings(part.findings), f"{part.title}: findings.", self.rows)
            parts.append(fragments.scrolling(table))
        if missing := reading.missing(bundle):
            frame = pd.DataFrame(
                [(each.aspect, each.check, look(each.status).word, each.note) for each in missing],
                columns=["Aspect", "Check", "Status", "Why"],
            )
            parts.append(fragments.scrolling(fragments.table(frame, "What was not run.", self.rows)))
        # No page holds half of a pair of surrogates.
        return "".join(parts).encode("utf-8", "replace").decode("utf-8")

    def _lines(self) -> tuple[str, ...]:
        bundle, manifest = self.bundle, self.bundle.manifest
        model, _ = reading.tally(manifest.findings)
        first, *others = reading.verdict(bundle)
        told = ", ".join(f"{model[word]} {word}" for word in STATUSES if model[word])
        ended = "" if bundle.complete else f"This audit is not complete: it was {reading.ended(manifest.status)}."
        lines = (
            f"{bundle.name}: {first}",
            " ".join(others),
            f"Model {manifest.model.name} on {manifest.data.name}, {count(manifest.data.n)} rows.",
            ended,
            reading.origin(manifest),
            *manifest.data.notices,
            *manifest.model.notices,
            f"Findings about the model: {told}." if told else "",
            f"Consistent with itself, digest {manifest.digest}",
            f"All of it: probe dashboard {quote(str(bundle.folder))}",
        )
        return tuple(line for line in lines if line)


def show(run: str | Path | Bundle) -> Shown:
    """Show an audit in a notebook, after it was verified: static HTML without scripts, legible on light and dark.

    >>> import probe
    >>> probe.show("runs/adult-mlp")  # doctest: +SKIP

    Args:
        run: the folder of the audit, or its bundle.

    Raises:
        DataError: if there is no audit in the folder.
        IntegrityError: if it was changed.
    """
    bundle = run if isinstance(run, Bundle) else read(run)
    verify(bundle.folder)
    return Shown(bundle)
