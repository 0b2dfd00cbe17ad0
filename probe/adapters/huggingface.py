"""Text and image classifiers of Hugging Face, from a folder: nothing is downloaded, and no code in it is run."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from threading import get_ident
from typing import Any, NamedTuple

import torch
from torch.nn.modules.module import register_module_module_registration_hook

from probe.adapters.check import check_model
from probe.adapters.images import MODES, ImageNetwork, Preparation
from probe.adapters.optional import library
from probe.adapters.safetensor import declared
from probe.adapters.texts import encode, text_model
from probe.errors import DataError, ProbeError, RangeError, ShapeError, UnsafeError, Unsupported
from probe.model import Model

LENGTH = 64  # tokens of a text, where a network reads as many
LARGEST_COUNT = 2**20  # a whole number in config.json, where no tensor has as long a side
# Parts of the names of numbers that nothing is repeated by; what they make large is counted on the meta device.
BOUNDLESS = ("position", "length", "theta", "token")
MODULES, SPARE = 8, 1000  # for each tensor, and besides; no network of transformers has more than 3 for each
HERE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def from_transformers(folder: str | Path, *, length: int = 0, name: str = "") -> Model:
    """A text or image classifier from a folder that `save_pretrained` wrote: config.json and model.safetensors.

    A text is `length` token ids (`token_ids` makes them; 64, or as many as the network reads, unless given), whose
    words are those of the tokenizer; an absent word is the padding token, which is not attended to. An image is
    brightness from 0 to 1, (3, height, width), of any size: what the folder's image processor does to it, with Pillow's
    rounding left out, happens inside.

    Raises:
        UnsafeError: if the weights are a pickle, or the folder needs code of its own.
        DataError: if a file is missing or damaged, or config.json declares more than the weights hold.
        ShapeError: if weights are missing or misshapen, with their names.
        Unsupported: if it is no such classifier.
    """
    found = _look(Path(folder))
    name = name or found.folder.resolve().name
    if found.kind == "ForSequenceClassification":
        length = _length(found.folder, length)
        network = _load("AutoModelForSequenceClassification", found)
        return text_model(network, _open("AutoTokenizer", found.folder), _classes(network, name), name, length)
    network = _load("AutoModelForImageClassification", found)
    prepare = _preparation(_open("AutoImageProcessor", found.folder))
    module = ImageNetwork(network, prepare, lambda inner, images: inner(pixel_values=images).logits).eval()
    model = Model(forward=module, space=prepare.space(), classes=_classes(network, name), name=name)
    check_model(model, torch.linspace(0, 1, 3)[:, None, None, None].expand(3, 3, *prepare.size()))
    return model


def token_ids(folder: str | Path, texts: Sequence[str], length: int = 0) -> torch.Tensor:
    """Texts as the ids (texts, length) that the model in a folder reads: cut at `length`, and padded to it."""
    found = _look(Path(folder))  # a tokenizer may be told by the config which one it is
    length = _length(found.folder, length)
    return encode(_open("AutoTokenizer", found.folder), texts, length, str(folder))


class _Found(NamedTuple):
    folder: Path
    kind: str  # the end of the architecture's name
    tensors: int  # in the files of weights
    numbers: int  # in all of them


def _look(folder: Path) -> _Found:
    """What a folder holds, before anything in it is opened by transformers."""
    config = _json(folder / "config.json")
    if (folder / "adapter_config.json").exists():
        raise Unsupported(
            f"{folder.name} holds an adapter for another model; merge the two (merge_and_unload) and save that"
        )
    architecture = next(iter(config.get("architectures") or [""]), "")
    kind = next(
        (k for k in ("ForSequenceClassification", "ForImageClassification") if str(architecture).endswith(k)), ""
    )
    if not kind:
        raise Unsupported(
            f"{folder.name} holds {architecture or 'no named architecture'}, expected one that ends in "
            "ForSequenceClassification or ForImageClassification"
        )
    shapes = [part.shape for file in _weights(folder) for part in declared(file).values()]
    _check_counts(folder, config, max((side for shape in shapes for side in shape), default=0))
    return _Found(folder, kind, len(shapes), sum(map(prod, shapes)))


def _check_counts(folder: Path, config: dict[str, Any], longest: int) -> None:
    """Raise DataError for numbers so large that what is made of them, before any weights, would take memory.

    A vocabulary, a number of classes and a width are sides of a tensor in the file; all others are small.
    """
    left = list(config.items())
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += value.items()
        elif not any(part in name for part in BOUNDLESS) and (count := _total(value)) > max(longest, LARGEST_COUNT):
            raise DataError(
                f"config.json of {folder.name} declares {name} = {count:,}, and no tensor of its weights has a side "
                f"longer than {longest:,}; copy the folder again"
            )


def _total(value: Any) -> int:
    """The sum of the whole numbers in a value, in lists of lists as well: stages are counted together."""
    total, left = 0, [value]
    while left:
        part = left.pop()
        if isinstance(part, list | dict):
            left += part.values() if isinstance(part, dict) else part
        elif isinstance(part, int):
            total += min(max(0, part), 2**63)  # Python writes no number of thousands of digits
    return total


def _length(folder: Path, asked: int) -> int:
    """How many tokens a text has: no more than the network has positions for."""
    most = _json(folder / "config.json").get("max_position_embeddings")
    most = most if isinstance(most, int) and most > 0 else max(asked, LENGTH)
    if asked < 0 or asked > most:
        raise RangeError(f"length = {asked}, and {folder.name} reads from 1 to {most} tokens")
    return asked or min(LENGTH, most)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}; expected the folder that save_pretrained wrote "
            "(names of the hub are not downloaded)"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); copy it again") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}, expected a table of settings")
    return content


def _weights(folder: Path) -> list[Path]:
    """The files of weights: one, or those that an index names."""
    if (folder / "model.safetensors").exists():
        return [folder / "model.safetensors"]
    if (folder / "model.safetensors.index.json").exists():
        named = _json(folder / "model.safetensors.index.json").get("weight_map")
        files = sorted(set(map(str, named.values()))) if isinstance(named, dict) else []
        if not files or any(Path(file).name != file for file in files):
            raise UnsafeError(f"the index of {folder.name} names files outside its folder, or none; it was not opened")
        return [folder / file for file in files]
    pickles = [file.name for file in folder.glob("*.bin")]
    if pickles:
        raise UnsafeError(
            f"{folder.name} keeps its weights in {pickles[0]}, which is a pickle, so it was not opened; "
            "model.save_pretrained(folder) of a new transformers writes model.safetensors"
        )
    raise DataError(f"{folder.name} has no model.safetensors")


def _load(auto: str, found: _Found) -> Any:
    """The network in eval mode, if its weights are all there."""
    kind = getattr(library("transformers"), auto)
    config = _open("AutoConfig", found.folder)
    try:
        # Weights that a file lacks are drawn at random before transformers says so: from a copy of the random state.
        with torch.random.fork_rng(devices=[]):
            with torch.device("meta"), _no_more_modules_than(found):
                outline = kind.from_config(config, trust_remote_code=False)
            _check_numbers(found, outline)
            # With mismatched sizes ignored they are in the report, where they are found below.
            network, report = kind.from_pretrained(
                found.folder, **HERE, config=config, use_safetensors=True, dtype=torch.float32,
                attn_implementation="eager", output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
    except ProbeError:
        raise
    except Exception as error:  # whatever a damaged folder makes the library raise
        raise _refusal(found.folder, error) from None
    lacking = [f"missing {name}" for name in sorted(report["missing_keys"])]
    lacking += [
        f"{name}: the file has {tuple(there)}, the module {tuple(here)}"
        for name, there, here in sorted(report["mismatched_keys"])
    ]
    if lacking:
        lacking += [f"unexpected {name}" for name in sorted(report["unexpected_keys"])]
        raise ShapeError(f"the weights in {found.folder.name} do not fit its config.json:\n  " + "\n  ".join(lacking))
    return network.eval()


@contextmanager
def _no_more_modules_than(found: _Found) -> Iterator[None]:
    """Stop while a network is built of which the weights can only be a small part.

    How many modules it has follows from a config in as many ways as there are architectures, so they are counted as
    they are put together.
    """
    count, most, thread = 0, MODULES * found.tensors + SPARE, get_ident()

    def counted(*_: Any) -> None:
        nonlocal count
        count += get_ident() == thread  # others may be building networks of their own
        if count > most and get_ident() == thread:
            raise DataError(
                f"config.json of {found.folder.name} declares more than {most:,} modules, its weights "
                f"{found.tensors:,} tensors; copy the folder again"
            )

    handle = register_module_module_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()


def _check_numbers(found: _Found, outline: torch.nn.Module) -> None:
    weights = sum(parameter.numel() for parameter in outline.parameters())
    # Masks and tables of positions are computed, and in no file.
    beside = sum(buffer.numel() for buffer in outline.buffers())
    if weights > 2 * found.numbers + 10_000_000 or beside > 2 * found.numbers + 2**26:
        raise DataError(
            f"config.json of {found.folder.name} declares {weights:,} weights and {beside:,} numbers beside them, "
            f"its files {found.numbers:,}"
        )


def _open(auto: str, folder: Path) -> Any:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; expected one that save_pretrained wrote")
    try:
        return getattr(library("transformers"), auto).from_pretrained(folder, **HERE)
    except ProbeError:
        raise
    except Exception as error:
        raise _refusal(folder, error) from None


def _refusal(folder: Path, error: Exception) -> ProbeError:
    if "trust_remote_code" in str(error):
        return UnsafeError(
            f"{folder.name} needs code of its own, which is not run; transformers has no such architecture"
        )
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return DataError(f"transformers cannot open {folder.name}: {reason}")


def _classes(network: Any, name: str) -> tuple[str, ...]:
    config = network.config
    if config.num_labels < 2 or config.problem_type in ("regression", "multi_label_classification"):
        raise Unsupported(f"{name} does not choose one of several classes (it has {config.num_labels} outputs, "
                          f"for {config.problem_type or 'regression'})")  # fmt: skip
    return tuple(str(config.id2label[number]) for number in range(config.num_labels))


def _preparation(processor: Any) -> Preparation:
    """What an image processor does, in our words. It works on brightness from 0 to 255."""
    if getattr(processor, "rescale_offset", False):
        raise Unsupported(
            "this image processor moves brightness by an offset; wrap the network in a module of your own"
        )
    size, crop = processor.size, processor.crop_size
    resize = (size.shortest_edge or (size.height, size.width)) if processor.do_resize else None
    return Preparation(
        resize=resize,
        mode=MODES.get(int(processor.resample or 0), str(processor.resample)),
        crop=(crop.height, crop.width) if processor.do_center_crop else None,
        factor=255 * processor.rescale_factor if processor.do_rescale else 255.0,
        mean=tuple(processor.image_mean) if processor.do_normalize else (0.0, 0.0, 0.0),
        deviation=tuple(processor.image_std) if processor.do_normalize else (1.0, 1.0, 1.0),
    )
