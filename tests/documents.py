"""What README and documentation show, for tests that run it and for those that check its types."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs/tutorials", "docs/howto")
PAGES = ("README.md", *(f"{folder}/{path.name}" for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def blocks(page: str, language: str = "python") -> list[str]:
    """The blocks of code of a page, by its path in the repository."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
