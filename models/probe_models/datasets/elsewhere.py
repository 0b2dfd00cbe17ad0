"""Files that do not come with probe: found on this machine, else downloaded from their publisher, checked and kept."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from probe.errors import DataError
from probe_models.files import write_whole


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A file that is not bundled.

    Attributes:
        name: of the file that is kept, in $PROBE_DATA or the cache.
        url: where its publisher has it.
        size: of the publisher's file at most, in bytes.
        check: makes what is kept of what was downloaded, or raises.
        remedy: what to do where it cannot be downloaded, as the end of a sentence.
        places: other folders that may have it.
    """

    name: str
    url: str
    size: int
    check: Callable[[bytes], bytes]
    remedy: str
    places: tuple[Path, ...] = ()

    def here(self) -> Path | None:
        """Where the file is on this machine, if it is; nothing is downloaded."""
        return next((place / self.name for place in (kept_in(), *self.places) if (place / self.name).is_file()), None)

    def find(self) -> Path:
        """Where the file is; it is downloaded if it is nowhere.

        Raises:
            DataError: if it cannot be downloaded or kept.
            IntegrityError: if the publisher's file is not the recorded one.
        """
        if path := self.here():
            return path
        content = self.check(self._download())
        kept = kept_in() / self.name
        try:
            write_whole(kept, content)
        except OSError as error:
            raise DataError(
                f"cannot keep {self.name} in {kept.parent}: {error.strerror or error}; "
                "set PROBE_DATA to a folder of yours"
            ) from None
        return kept

    def _download(self) -> bytes:
        sys.stderr.write(f"downloading {self.url}\n")
        try:
            with urlopen(self.url, timeout=30) as answer:
                content: bytes = answer.read(self.size + 1)
        except (OSError, HTTPException) as error:
            raise DataError(
                f"{self.name} is not on this machine, and {self.url} cannot be reached ({error}); {self.remedy}"
            ) from None
        return content


def kept_in() -> Path:
    """The folder of such files: $PROBE_DATA, else probe's folder in the user's cache."""
    chosen, home = os.environ.get("PROBE_DATA"), os.environ.get("XDG_CACHE_HOME")
    return Path(chosen) if chosen else Path(home or Path.home() / ".cache") / "probe-toolkit"
