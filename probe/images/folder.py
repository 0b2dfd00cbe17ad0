"""A folder with a subfolder of images for each class."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from probe.dataset import Dataset
from probe.errors import DataError
from probe.features import image_space
from probe.images.common import Size, check_memory, refuse_twice
from probe.images.decoding import Decoded, decoded, opened, told
from probe.names import in_order
from probe.text import visible

FORMATS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
ORIENTATION = 0x0112  # the tag of a photo that says how the camera was held; from 5 on, sideways


@dataclass(frozen=True, eq=False)
class Files:
    """Images in a folder, which are read when they are asked for: `files[torch.tensor([3, 1])]` is a Dataset."""

    paths: tuple[Path, ...]
    labels: Tensor  # (rows,)
    size: Size
    channels: int
    classes: tuple[str, ...]
    name: str
    notices: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Tensor) -> Dataset:
        """Some of the images, in the order of their numbers.

        Raises:
            DataError: if a file cannot be read.
        """
        pixels = np.empty((len(rows), self.channels, *self.size), dtype=np.float32)
        read: list[Decoded] = []
        for place, row in enumerate(rows.tolist()):
            path = self.paths[row]
            read.append(decoded(path, self.size, self.channels, str(path)))
            pixels[place] = read[-1].pixels
            read[-1] = read[-1].without_pixels()
        return Dataset(
            torch.from_numpy(pixels),
            self.labels[rows],
            space=image_space(self.channels, *self.size),
            classes=self.classes,
            name=self.name,
            rows=rows,
            source=f"{len(self):,} images of {self.name}",
            notices=(*self.notices, *told(read)),
        )


def from_folder(
    folder: str | Path, *, size: Size | None = None, channels: int = 3, classes: Sequence[str] | None = None
) -> Dataset:
    """Read the images in FOLDER/CLASS/FILE as brightness from 0 to 1, (rows, channels, height, width).

    Args:
        folder: with a subfolder for each class.
        size: height and width. An image of another size is scaled until it covers that, and its middle is taken.
            Unless given, all images must be of one size.
        channels: 3 for colour, 1 for grey.
        classes: the subfolders in the model's order; sorted by name unless given.

    Raises:
        DataError: if there are no images, a file cannot be read, or sizes differ and none was given.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from PIL import Image
    >>> from probe import from_folder
    >>> with TemporaryDirectory() as folder:
    ...     for name, colour in (("dark", 40), ("light", 200)):
    ...         Path(folder, name).mkdir()
    ...         Image.fromarray(np.full((8, 8, 3), colour, dtype=np.uint8)).save(Path(folder, name, "one.png"))
    ...     data = from_folder(folder)
    >>> data.inputs.shape, data.classes
    (torch.Size([2, 3, 8, 8]), ('dark', 'light'))
    """
    files = files_in(folder, size=size, channels=channels, classes=classes)
    check_memory(len(files), (channels, *files.size))
    return files[torch.arange(len(files))]


def files_in(
    folder: str | Path, *, size: Size | None = None, channels: int = 3, classes: Sequence[str] | None = None
) -> Files:
    """The images in FOLDER/CLASS/FILE, to be read when they are asked for; arguments and errors as of `from_folder`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give one with a subfolder of images for each class")
    if channels not in (1, 3):
        raise DataError(f"channels = {channels}, expected 3 for colour or 1 for grey")
    # As torchvision sorts them, on whose order most networks were trained.
    found = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    names = tuple(found if classes is None else map(str, classes))
    refuse_twice(names)
    if absent := [name for name in names if name not in found]:
        raise DataError(f"{folder} has no subfolder {absent[0]!r}; it has {', '.join(found[:10]) or 'none'}")
    files = [(path, label) for label, name in enumerate(names) for path in _images(folder / name)]
    for label, name in enumerate(names):
        if all(known != label for _, known in files):
            raise DataError(f"{folder / name} holds no image; expected files such as photo.png or photo.jpg")
    if len(names) < 2:
        count = "no subfolder" if not names else "one subfolder"
        raise DataError(f"{folder} has {count} of images, expected one for each of two classes or more")
    paths = [path for path, _ in files]
    return Files(
        tuple(paths),
        torch.tensor([label for _, label in files]),
        _size(paths) if size is None else size,
        channels,
        names,
        folder.resolve().name,
        (*_of_folders(folder, found, names, named=classes is not None), *_others(folder, names)),
    )


def _of_folders(folder: Path, found: list[str], names: Sequence[str], *, named: bool) -> tuple[str, ...]:
    """What is to be known of the subfolders: images that are left out, and an order that may surprise."""
    if named:
        left = {name: len(_images(folder / name)) for name in found if name not in names}
        count = sum(left.values())
        listed = ", ".join([name for name, images in left.items() if images][:5])
        said = f"{count:,} images of {folder.resolve().name} are in none of the named classes and left out: {listed}"
        return (said,) if count else ()
    if in_order(found) == found:
        return ()
    return (
        "the subfolders are numbers, and are sorted as text, as torchvision does: "
        f"{', '.join(found[:5])}, ...; name the model's order as classes if it is another",
    )


def _others(folder: Path, names: Sequence[str]) -> Iterator[str]:
    """What is to be known of files that are not read: images in no subfolder, and files of other kinds."""
    name = folder.resolve().name
    if loose := sum(path.suffix.lower() in FORMATS for path in folder.iterdir() if path.is_file()):
        yield f"{loose:,} of the images of {name} are in no subfolder, and left out"
    every = [path for each in names for path in (folder / each).rglob("*")]
    kinds = Counter(suffix for path in every if (suffix := path.suffix.lower()) not in FORMATS and _is_shown(path))
    if kinds:
        listed = ", ".join(visible(kind) or "no ending" for kind, _ in kinds.most_common(5))
        yield f"{kinds.total():,} files of {name} do not end as images do, and are left out: {listed}"


def _is_shown(path: Path) -> bool:
    """Whether somebody put a file there, and not the system."""
    return path.is_file() and not path.name.startswith(".") and path.name.lower() not in ("thumbs.db", "desktop.ini")


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS and path.is_file())


def _size(files: list[Path]) -> Size:
    """Height and width that all images have."""
    first = None
    for path in files:
        with opened(path, str(path)) as image:
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            found = (image.width, image.height) if turned else (image.height, image.width)
        if first is not None and found != first:
            raise DataError(
                f"{path} is {found[0]} x {found[1]} pixels, {files[0].name} is {first[0]} x {first[1]}; "
                "give one size for all, the model's: size = [224, 224], or to probe train --size 224x224"
            )
        first = found
    assert first is not None, "there is at least one image"
    return first
