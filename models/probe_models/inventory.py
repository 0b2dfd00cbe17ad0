"""Which bundled files are here and unchanged. Imports no torch."""

import gzip
import json
import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from probe.errors import DataError
from probe_models.datasets import BUNDLED
from probe_models.datasets.elsewhere import kept_in
from probe_models.zoo import FOLDER
from probe_models.zoo.cards import read_card

State = Literal["unchanged", "changed", "missing"]
COMPAS = ("compas.csv.gz", "compas-scores-two-years.csv")
TRAINING = ("train-images-idx3-ubyte.gz",)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
# What torch calls the types of a safetensors file.
DTYPES = {"F32": "torch.float32", "F64": "torch.float64", "F16": "torch.float16", "BF16": "torch.bfloat16"}
DTYPES |= {"I64": "torch.int64", "I32": "torch.int32", "U8": "torch.uint8", "BOOL": "torch.bool"}
_LINE = re.compile(r"^\| ([\w.-]+\.gz) \|.*\| ([0-9a-f]{64}) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Kept:
    """A file that has a recorded digest."""

    name: str
    path: Path
    state: State


@dataclass(frozen=True)
class Source:
    """A data set that does not come with a wheel.

    Attributes:
        name: in words.
        at: where it is on this machine; None where it is not.
        remedy: how it gets there.
    """

    name: str
    at: Path | None
    remedy: str


def elsewhere() -> list[Source]:
    """The data sets that are looked for on this machine and else downloaded."""
    told = (
        ("COMPAS", COMPAS, "ProPublica (2.5 MB)"),
        ("Fashion-MNIST to train on", TRAINING, "Zalando (26 MB), or install Debian's dataset-fashion-mnist"),
    )
    places = (BUNDLED, kept_in(), DEBIAN)
    return [
        Source(
            name,
            next((place / file for place in places for file in files if (place / file).is_file()), None),
            f"it is downloaded once, when it is first needed, from {source}; without a network, set PROBE_DATA to a "
            f"folder that holds {' or '.join(files)}",
        )
        for name, files, source in told
    ]


def recorded() -> dict[str, str]:
    """The SHA-256 of the uncompressed content of each file of data, as its README has it."""
    return dict(_LINE.findall((BUNDLED / "README.md").read_text(encoding="utf-8")))


def data() -> list[Kept]:
    """The files of data."""
    return [Kept(name, BUNDLED / name, _state(BUNDLED / name, digest)) for name, digest in recorded().items()]


def weights() -> list[Kept]:
    """The weights of each network that is in the zoo."""
    return [_weights(card.parent) for card in sorted(FOLDER.glob("*/card.json"))]


def tensors(content: bytes) -> str:
    """The SHA-256 of the tensors of a safetensors file, as `probe.tensors.sha256` has it, without torch.

    Raises:
        ValueError: if it is no such file.
    """
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    digest = sha256()
    for name in sorted(header.keys() - {"__metadata__"}):
        kind, shape, (start, end) = (header[name][key] for key in ("dtype", "shape", "data_offsets"))
        digest.update(f"{name}:{DTYPES.get(kind, kind)}:{tuple(shape)};".encode())
        digest.update(content[8 + size + start : 8 + size + end])
    return digest.hexdigest()


def _weights(folder: Path) -> Kept:
    try:
        card = read_card(folder)
        path = folder / card["weights"].get("file", "")
        state: State = "unchanged" if tensors(path.read_bytes()) == card["weights"]["sha256"] else "changed"
    except FileNotFoundError:
        state = "missing"
    except (DataError, OSError, ValueError, KeyError, TypeError, AttributeError):
        state = "changed"
    return Kept(folder.name, folder, state)


def _state(path: Path, digest: str) -> State:
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        return "missing"
    except (OSError, EOFError, zlib.error):
        return "changed"
    return "unchanged" if sha256(content).hexdigest() == digest else "changed"
