"""What lies beside a bundle, outside its digest and bound to it: signatures, counter-signatures, sign-offs."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probe.audit.bundle import Bundle
from probe.errors import IntegrityError, PlanError

TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\+00:00")
CLOCKS = timedelta(days=1)  # by which the clocks of two machines may differ


def listed(bundle: Bundle, folder: str, ending: str, what: str, most: int) -> list[str]:
    """The names of the files with this ending, in order; `what` names them in a message.

    Raises:
        IntegrityError: if the folder is a link, there are too many, or the audit is not complete.
    """
    place = bundle.folder / folder
    if place.is_symlink():
        raise IntegrityError(f"{folder} of {bundle.folder.name} points outside the bundle; it was not opened")
    there = sorted(path.name for path in place.glob(f"*{ending}")) if place.is_dir() else []
    if len(there) > most:
        raise IntegrityError(f"{bundle.folder.name} has {len(there)} {what}, and at most {most} are read")
    if there and not bundle.complete:
        raise IntegrityError(
            f"{bundle.folder.name} is {bundle.manifest.status} and has {what}, which only a complete audit can have"
        )
    return there


def place_of(bundle: Bundle, folder: str) -> Path:
    """The folder in a bundle for such files, made if it is not there."""
    place = bundle.folder / folder
    if place.is_symlink():
        raise PlanError(f"{place} is a link; remove it, as nothing is written outside the bundle")
    place.mkdir(exist_ok=True)
    return place


def now() -> str:
    """The time, as these files have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_time(text: str) -> bool:
    """Whether a text is a moment that exists, written as `now` writes it."""
    try:
        return TIME.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def check_time(bundle: Bundle, text: str, shown: str, after: str = "") -> None:
    """Check when a file says that it was written: after the audit and the file before, and not in the future.

    Raises:
        IntegrityError: if it cannot have been written then.
    """
    if not is_time(text):
        raise IntegrityError(f"{shown} has the date {text!r:.60}, expected one such as {now()}")
    said = datetime.fromisoformat(text)
    if said > datetime.now(UTC) + CLOCKS:
        raise IntegrityError(f"{shown} is dated {text}, which is in the future, unless this machine's clock is wrong")
    for what, other in (("the audit was finished", bundle.manifest.finished), ("the one before it", after)):
        if other and is_time(other) and said < datetime.fromisoformat(other) - CLOCKS:
            raise IntegrityError(f"{shown} is dated {text}, before {what} ({other})")
