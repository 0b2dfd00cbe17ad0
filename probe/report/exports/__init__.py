"""The findings of an audit for other tools: each check with its status, which is never better than it was."""

import json
from collections.abc import Callable
from typing import NamedTuple

from probe.audit.bundle import Bundle
from probe.audit.reading import ledger
from probe.audit.spreadsheet import to_csv
from probe.audit.strict import plain
from probe.audit.toml import to_toml
from probe.report.exports import card, junit, sarif

__all__ = ["EXPORTS", "Export"]


class Export(NamedTuple):
    """A form in which an audit is written for others."""

    title: str
    ending: str
    mime: str
    write: Callable[[Bundle], str]


def _json(bundle: Bundle) -> str:
    return json.dumps(bundle.manifest.to_json(), indent=1, ensure_ascii=False) + "\n"


def _csv(bundle: Bundle) -> str:
    return to_csv(bundle.table("findings"))


def _rows(bundle: Bundle) -> str:
    return to_csv(ledger(bundle))


def _toml(bundle: Bundle) -> str:
    return to_toml(plain(bundle.manifest.plan))


EXPORTS = {
    "json": Export("All of it as data (JSON)", "json", "application/json", _json),
    "csv": Export("Findings for a spreadsheet (CSV)", "csv", "text/csv", _csv),
    "toml": Export("The plan (TOML)", "toml", "application/toml", _toml),
    "junit": Export("Findings as test cases (JUnit XML)", "xml", "application/xml", junit.write),
    "sarif": Export("Findings for code scanning (SARIF 2.1.0)", "sarif", "application/sarif+json", sarif.write),
    "card": Export("Model card (Markdown)", "md", "text/markdown", card.write),
    "rows": Export("Rows used and left out, and why (CSV)", "csv", "text/csv", _rows),
}
