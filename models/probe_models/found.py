"""What the modules of a folder say of themselves, read from their files without running any of them."""

import re
from pathlib import Path


def found(folder: Path, name: str) -> dict[str, str]:
    """The modules that assign that name at their top level, each with the text of what it is there."""
    files = [file for file in sorted(folder.glob("*.py")) if file.stem != "__init__"]
    written = {file.stem: file.read_text(encoding="utf-8") for file in files}
    lines = {module: re.search(rf"^{name}\b[^=\n]*= *(.*)$", text, re.MULTILINE) for module, text in written.items()}
    return {module: line[1] for module, line in lines.items() if line}
