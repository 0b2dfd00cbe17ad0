"""Images of one's own as a Dataset: a folder with a subfolder for each class, or the arrays of an .npz file."""

import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from probe.dataset import Dataset
from probe.errors import DataError, ProbeError
from probe.features import image_space
from probe.frames import group_names
from probe.names import in_order, number
from probe.space import Space

FORMATS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
LARGEST = 2**32  # bytes of all images together, as float32
CLASSES = 2**16  # a larger label is an identifier
PIXELS = 2**26  # of one file, counted before it is decompressed
ORIENTATION = 0x0112  # the tag of a photo that says how the camera was held; from 5 on, sideways

Size = tuple[int, int]  # height and width


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
        for place, row in enumerate(rows.tolist()):
            pixels[place] = _read(self.paths[row], self.size, self.channels)
        return Dataset(
            torch.from_numpy(pixels),
            self.labels[rows],
            space=image_space(self.channels, *self.size),
            classes=self.classes,
            name=self.name,
            rows=rows,
            source=f"{len(self):,} images of {self.name}",
            notices=self.notices,
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
    _check_memory(len(files), (channels, *files.size))
    return files[torch.arange(len(files))]


def files_in(
    folder: str | Path, *, size: Size | None = None, channels: int = 3, classes: Sequence[str] | None = None
) -> Files:
    """The images in FOLDER/CLASS/FILE, to be read when they are asked for; arguments and errors as of `from_folder`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one with a subfolder of images for each class")
    if channels not in (1, 3):
        raise DataError(f"channels = {channels}, expected 3 for colour or 1 for grey")
    # As torchvision sorts them, on whose order most networks were trained.
    found = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    names = tuple(found if classes is None else map(str, classes))
    _refuse_twice(names)
    if absent := [name for name in names if name not in found]:
        raise DataError(f"{folder} has no subfolder {absent[0]!r}; it has {', '.join(found[:10]) or 'none'}")
    files = [(path, label) for label, name in enumerate(names) for path in _images(folder / name)]
    for label, name in enumerate(names):
        if all(known != label for _, known in files):
            raise DataError(f"{folder / name} holds no image; expected files such as photo.png or photo.jpg")
    if len(names) < 2:
        raise DataError(f"{folder} has {len(names)} subfolders of images, expected one for each of two classes or more")
    paths = [path for path, _ in files]
    return Files(
        tuple(paths),
        torch.tensor([label for _, label in files]),
        _size(paths) if size is None else size,
        channels,
        names,
        folder.resolve().name,
        _of_folders(folder, found, names, named=classes is not None),
    )


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The names of the arrays in an .npz file."""

    inputs: str = "inputs"  # (rows, ...)
    labels: str = "labels"  # (rows,)
    groups: tuple[str, ...] = ()  # each (rows,)


def from_npz(
    path: str | Path, *, keys: Keys | None = None, size: Size | None = None, classes: Sequence[str] | None = None
) -> Dataset:
    """Read the arrays of an .npz file. Images are (rows, channels, height, width) or (rows, height, width[, channels]).

    Bytes (uint8) are brightness and are divided by 255. Other numbers are taken as they are, and the bounds are [0, 1]
    where all lie within, else the lowest and highest number there are. Arrays (rows, numbers) are a table.

    Args:
        path: an .npz file. Nothing in it is unpickled.
        keys: the names of its arrays; `inputs` and `labels` unless given.
        size: height and width of the images; their own unless given.
        classes: their names in the model's order. Labels that are among the names are found by name; else whole
            numbers are the indices of the classes. Texts are sorted unless given, by value where all are numbers.

    Raises:
        DataError: if an array is missing, too large, of objects, or does not fit the others.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from probe import from_npz
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "digits.npz"), inputs=np.zeros((2, 8, 8)), labels=np.array(["no", "yes"]))
    ...     data = from_npz(Path(folder, "digits.npz"))
    >>> data.inputs.shape, data.classes
    (torch.Size([2, 1, 8, 8]), ('no', 'yes'))
    """
    path, keys = Path(path), keys or Keys()
    arrays = _arrays(path, (keys.inputs, keys.labels, *keys.groups))
    inputs, labels = arrays[keys.inputs], arrays[keys.labels]
    if inputs.ndim < 2 or labels.shape != (len(inputs),) or not inputs.size:
        raise DataError(
            f"{path.name} has {keys.inputs} {inputs.shape} and {keys.labels} {labels.shape}, "
            "expected (rows, ...) and (rows,) with at least one row of at least one number"
        )
    if inputs.dtype.kind not in "iuf":
        raise DataError(f"the inputs of {path.name} are {inputs.dtype}, expected numbers")
    tensor = torch.from_numpy(np.ascontiguousarray(_channels_first(inputs)))
    tensor = _resized(_brightness(tensor, path), size)
    values, indices = _labelled(labels, classes, path)
    table = {name: arrays[name] for name in keys.groups}
    for name, column in table.items():
        if column.shape != labels.shape:
            raise DataError(f"{path.name} has {name} {column.shape}, expected a group for each of {len(labels)} rows")
    low, high = min(0.0, float(tensor.min())), max(1.0, float(tensor.max()))
    space = image_space(*tensor.shape[1:], bounds=(low, high)) if tensor.ndim == 4 else Space(bounds=(low, high))
    return Dataset(
        tensor,
        indices,
        groups=pd.DataFrame({name: group_names(pd.Series(_texts(column))) for name, column in table.items()})
        if table
        else None,
        space=space,
        classes=values,
        name=path.name,
        source=path.name,
    )


def segments(images: Tensor, count: int = 40, *, compactness: float = 10.0) -> Tensor:
    """Number the segments of images that differ in colour and place (SLIC, Achanta et al. 2012): their features.

    Args:
        images: (channels, height, width), or several, (rows, channels, height, width); brightness from 0 to 1.
        count: about how many segments an image has.
        compactness: how much place counts beside colour; larger makes squarer segments.

    Returns:
        The number of the segment of each coordinate, shaped as the images. Each image has its own, as if it were
        alone: `Space(features=segments(images))` is the space of these images.

    >>> import torch
    >>> from probe import segments
    >>> image = torch.zeros(3, 8, 8)
    >>> image[:, :, 4:] = 1.0  # dark on the left, light on the right
    >>> segments(image, 4)[0, 0]
    tensor([0, 0, 0, 0, 1, 1, 1, 1])
    >>> segments(torch.stack([image, image.mT]), 4).shape
    torch.Size([2, 3, 8, 8])

    Raises:
        DataError: if it is no image.
        ProbeError: if scikit-image is not installed.
    """
    if images.ndim not in (3, 4) or len(images) == 0 or count < 1:
        shape = tuple(images.shape)
        raise DataError(
            f"segments of {shape} in {count} parts; expected an image (channels, height, width), or several, and 1 part"
        )
    if images.ndim == 4:
        return torch.stack([segments(image, count, compactness=compactness) for image in images])
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise ProbeError(
            f'segments need scikit-image, which cannot be imported ({error}); pip install "probe-toolkit[images]" '
            "installs it"
        ) from None
    pixels = images.detach().cpu().double().movedim(0, -1).numpy()
    found = slic(pixels, n_segments=count, compactness=compactness, start_label=0, channel_axis=-1)
    _, numbers = np.unique(found, return_inverse=True)
    return torch.from_numpy(numbers.reshape(found.shape)).expand(len(images), -1, -1).contiguous()


def _refuse_twice(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise DataError(f"classes = {list(names)} name one twice; name each once")


def _of_folders(folder: Path, found: list[str], names: Sequence[str], *, named: bool) -> tuple[str, ...]:
    """What is to be known of the subfolders: images that are left out, and an order that may surprise."""
    if named:
        left = {name: len(_images(folder / name)) for name in found if name not in names}
        count = sum(left.values())
        listed = ", ".join([name for name, images in left.items() if images][:5])
        said = f"{count:,} images of {folder.resolve().name} are in no class that was named and left out: {listed}"
        return (said,) if count else ()
    if in_order(found) == found:
        return ()
    return (
        "the subfolders are numbers, and stand in the order of their text, as torchvision has them: "
        f"{', '.join(found[:5])}, ...; name the model's order as classes if it is another",
    )


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS and path.is_file())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The image in a file, while it is looked at: what Pillow raises becomes one sentence."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.width * image.height > PIXELS:
                raise DataError(
                    f"{path} has {image.width:,} x {image.height:,} pixels, expected {PIXELS:,} at most; scale it down"
                )
            yield image
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as an image: {error}") from None


def _size(files: list[Path]) -> Size:
    """Height and width that all images have."""
    first = None
    for path in files:
        with _opened(path) as image:
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            found = (image.width, image.height) if turned else (image.height, image.width)
        if first is not None and found != first:
            raise DataError(
                f"{path} is {found[0]} x {found[1]} pixels, {files[0].name} is {first[0]} x {first[1]}; "
                "give one size for all, the model's: size = [224, 224], or to probe train --size 224"
            )
        first = found
    assert first is not None, "there is at least one image"
    return first


def _read(path: Path, size: Size, channels: int) -> NDArray[np.float32]:
    from PIL import Image, ImageOps

    with _opened(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB" if channels == 3 else "L")
    if (upright.height, upright.width) != size:
        upright = ImageOps.fit(upright, (size[1], size[0]), Image.Resampling.BILINEAR)
    pixels: NDArray[np.float32] = np.asarray(upright, dtype=np.uint8).astype(np.float32) / np.float32(255)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def _check_memory(rows: int, shape: tuple[int, ...]) -> None:
    if rows * int(np.prod(shape)) * 4 > LARGEST:
        raise DataError(
            f"{rows:,} images of {' x '.join(map(str, shape))} need more than {LARGEST >> 30} GiB; "
            "give a smaller size, or fewer files"
        )


def _arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of the file, after checking what it says that they take."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise DataError(f"{path.name} unpacks to more than {LARGEST >> 30} GiB; save fewer rows")
        with np.load(path, allow_pickle=False) as stored:
            if missing := [name for name in names if name not in stored.files]:
                raise DataError(
                    f"{path.name} has no array {missing[0]!r}; it has {', '.join(sorted(stored.files)[:10]) or 'none'}"
                )
            return {name: _plain(stored[name], name, path) for name in names}
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give the path of an .npz file that numpy.savez wrote") from None
    except DataError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, MemoryError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read as an .npz file: {error}") from None


def _channels_first(inputs: NDArray[Any]) -> NDArray[Any]:
    """Images as (rows, channels, height, width): grey ones get a channel, and channels in the last place go first."""
    if inputs.ndim == 3:
        return inputs[:, None]
    if inputs.ndim == 4 and inputs.shape[-1] in (1, 3) and inputs.shape[1] not in (1, 3):
        return np.moveaxis(inputs, -1, 1)
    return inputs


def _brightness(inputs: Tensor, path: Path) -> Tensor:
    if inputs.dtype == torch.uint8 and inputs.ndim == 4:
        return inputs.float() / 255
    decimal = inputs if inputs.is_floating_point() else inputs.double()
    if not bool(decimal.isfinite().all()):
        raise DataError(f"the inputs of {path.name} hold NaN or infinity; drop those rows or fill them in")
    return decimal if decimal.dtype == torch.float64 and inputs.ndim == 2 else decimal.float()


def _resized(inputs: Tensor, size: Size | None) -> Tensor:
    if size is None or inputs.ndim != 4 or inputs.shape[-2:] == size:
        return inputs
    height, width = inputs.shape[-2:]
    scale = max(size[0] / height, size[1] / width)
    covering = (max(size[0], round(height * scale)), max(size[1], round(width * scale)))
    scaled = torch.nn.functional.interpolate(inputs, covering, mode="bilinear", antialias=True)
    top, left = (covering[0] - size[0]) // 2, (covering[1] - size[1]) // 2
    return scaled[..., top : top + size[0], left : left + size[1]].contiguous()


def _plain(array: NDArray[Any], name: str, path: Path) -> NDArray[Any]:
    """The array in this machine's byte order, after checking that it holds numbers, truth values or texts."""
    if array.dtype.kind not in "biufUS":
        raise DataError(f"{name} of {path.name} holds {array.dtype}, expected numbers, truth values or texts")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _texts(column: NDArray[Any]) -> list[Any]:
    """The values as Python's own, bytes as texts."""
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in column.tolist()]


def _labelled(labels: NDArray[Any], classes: Sequence[str] | None, path: Path) -> tuple[tuple[str, ...], Tensor]:
    """The names of the classes, and the index of each row's: by name where that is one, else numbers are indices."""
    called = None if classes is None else tuple(map(str, classes))
    _refuse_twice(called or ())
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and np.array_equal(labels, np.rint(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubUS":
        raise DataError(f"the labels of {path.name} are {labels.dtype}, and not whole; expected class indices or texts")
    texts = list(map(str, _texts(labels)))
    names = called or (("False", "True") if labels.dtype.kind == "b" else tuple(in_order(texts)))
    index = {name: position for position, name in enumerate(names)}
    if called is not None and labels.dtype.kind in "iu":
        # A class may be written 1.0 where the labels are whole numbers.
        values = [number(name) for name in called]
        place = {value: at for at, value in enumerate(values) if values.count(value) == 1}
        index |= {text: place[number(text)] for text in set(texts) if number(text) in place}
    if (called is not None or labels.dtype.kind in "bUS") and set(texts) <= index.keys():
        return names, torch.tensor([index[text] for text in texts])
    if labels.dtype.kind in "US":
        unknown = sorted(set(texts) - index.keys())
        raise DataError(f"the labels of {path.name} hold {unknown[0]!r}, expected one of {', '.join(names)}")
    low, high = int(labels.min()), int(labels.max())
    count = high + 1 if called is None else len(called)
    if not 0 <= low <= high < count or count > CLASSES:
        named = f" or their names {', '.join(called[:5])}" if called else ""
        raise DataError(
            f"the labels of {path.name} span {low} to {high}, expected class indices "
            f"from 0 to {min(count, CLASSES) - 1}{named}; number the classes 0, 1, 2, ..., or name in `classes` what "
            "the labels are, in the model's order"
        )
    return called or tuple(map(str, range(count))), torch.from_numpy(labels.astype(np.int64))
