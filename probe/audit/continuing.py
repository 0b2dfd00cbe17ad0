"""A folder that holds a part of the same audit, taken up where it ended."""

from pathlib import Path
from typing import Any

from probe.audit.bundle import Bundle, is_unused, read
from probe.audit.consistency import check_arrays, check_steps
from probe.audit.files import leftovers
from probe.audit.manifest import Manifest
from probe.audit.strict import plain
from probe.audit.verification import MALFORMED
from probe.contracts import answers_as_before
from probe.dataset import Dataset
from probe.errors import ExistsError, IntegrityError, ProbeError
from probe.model import Model

EVIDENCE_TABLES = ("tables/groups.csv",)  # the only table that is evidence; all others are computed


def existing(folder: Path, manifest: Manifest) -> Bundle | None:
    """The bundle in the folder if it is of the same audit; None if the folder is new or empty."""
    if not (folder / "audit.json").exists():
        if not is_unused(folder):
            raise ExistsError(f"{folder} exists and is not an audit, so it is left as it is; choose another --out")
        return None
    bundle = read(folder)
    parts = ("plan", "model", "data") if bundle.complete else ("plan", "model", "data", "machine")
    if differing := difference(bundle.manifest, manifest, parts):
        raise ExistsError(
            f"{folder} holds another audit ({differing}), and is left as it is; "
            "choose another folder with --out, or --replace it"
        )
    return bundle


def difference(old: Any, new: Any, parts: tuple[str, ...]) -> str:
    """The first setting in which these parts of two manifests differ, in words; empty if they agree."""
    before, now = plain(old), plain(new)
    return next(filter(None, (_difference(before[part], now[part], part) for part in parts)), "")


def check_answers(bundle: Bundle, model: Model, data: Dataset) -> None:
    """Raise ExistsError if a black box gives other answers than the model that was audited."""
    done = any(step.name == "predictions" and step.status == "done" for step in bundle.manifest.steps)
    if not done or model.digest() is not None:
        return
    if answers_as_before(model, data, bundle.arrays("predictions")["logits"]):
        return
    raise ExistsError(
        f"{bundle.folder} holds an audit of {model.name} with other answers, and is left as it is; "
        "choose another folder with --out, or --replace it"
    )


def reopen(bundle: Bundle) -> Bundle:
    """Remove findings and tables that were computed from a part of the evidence."""
    manifest, folder = bundle.manifest, bundle.folder
    kept = {file: sha for file, sha in manifest.files.items() if file in EVIDENCE_TABLES or file.startswith("arrays/")}
    try:
        for file in kept:
            bundle._bytes(file)
        check_steps(bundle)
        check_arrays(bundle)
    except MemoryError:
        raise
    except (ProbeError, *MALFORMED) as error:
        found = str(error) if isinstance(error, ProbeError) else f"{bundle.name} holds what no audit writes ({error})"
        raise IntegrityError(f"{found}; it cannot be continued, so start again with --replace") from None
        # At every moment the report on disk is the recorded one, or the one that the bundle gives.
    bundle.change(report_sha256=None)
    bundle.save()
    (folder / "report.html").unlink(missing_ok=True)
    concluded = manifest.files.keys() - kept.keys()
    bundle.change(status="running", finished=None, findings=(), files=kept)
    bundle.save()
    for path in (*(folder / file for file in concluded), *leftovers(folder)):
        if not path.parent.is_symlink():
            path.unlink(missing_ok=True)
    return bundle


def _difference(old: Any, new: Any, where: str) -> str:
    """The first setting in which two manifests differ, in words; empty if they agree."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = dict.fromkeys((*old, *new))
        return next(filter(None, (_difference(old.get(k), new.get(k), f"{where}.{k}") for k in keys)), "")
    return "" if old == new else f"{where} was {str(old)[:60]}, now {str(new)[:60]}"
