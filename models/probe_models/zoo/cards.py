"""The card of a model: architecture, data, training and metrics."""

import json
from pathlib import Path
from typing import Any

from probe.errors import DataError
from probe_models.files import write_whole

CARD = "card.json"
# Entries that are required to open a model.
NEEDED = (("name",), ("architecture", "name"), ("architecture", "kwargs"), ("data", "name"), ("weights", "sha256"))


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Write the card."""
    write_whole(folder / CARD, (json.dumps(card, indent=2) + "\n").encode())


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card in a folder, after checking that it has the required entries."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; `probe train` writes such a folder") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); copy it again") from None
    for keys in NEEDED:
        part = card
        for key in keys:
            if not isinstance(part, dict) or key not in part:
                raise DataError(f"{path} lacks {'.'.join(keys)}; it is not a card that `probe train` wrote")
            part = part[key]
    if not isinstance(card["architecture"]["kwargs"], dict):
        raise DataError(f"{path} has no table of arguments under architecture.kwargs; copy the folder again")
    return card
