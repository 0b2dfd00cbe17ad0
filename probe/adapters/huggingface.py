"""Text and image classifiers of Hugging Face, from a folder: nothing is downloaded, and no code in it is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from probe.adapters.check import check_model
from probe.adapters.huggingface_folder import Found, check_numbers, look, no_more_modules_than, read_json
from probe.adapters.images import MODES, ImageNetwork, Preparation
from probe.adapters.optional import library
from probe.adapters.texts import Encoded, encode, text_model
from probe.errors import DataError, ProbeError, RangeError, ShapeError, UnsafeError, Unsupported
from probe.model import Model
from probe.names import Passed, a_kind
from probe.task import Classification, MultiLabel, Regression, Task

LENGTH = 64  # default number of tokens, if the network has as many positions
HERE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def from_transformers(folder: str | Path, *, length: int = 0, name: str = "", task: Task | None = None) -> Model:
    """A text or image classifier from a folder that `save_pretrained` wrote: config.json and model.safetensors.

    The task is that of problem_type in config.json: classes, several labels or numbers; a single output is a
    regression, as transformers trains it. `task` overrides it.

    A text is `length` token ids of the tokenizer (from `token_ids`; by default 64, or as many as the network reads); an
    absent word is the padding token, which is masked in attention. An image is brightness from 0 to 1, (3, height,
    width), of any size: the preprocessing of the folder's image processor happens inside, without Pillow's rounding.

    Raises:
        UnsafeError: if the weights are a pickle, or the folder needs its own code.
        DataError: if a file is missing or damaged, or config.json declares more than the weights hold.
        ShapeError: if weights are missing or have wrong shapes, with their names.
        Unsupported: if it is not such a classifier.

    >>> from probe import from_transformers  # doctest: +SKIP
    >>> model = from_transformers("saved/my-classifier", length=128)  # doctest: +SKIP
    """
    found = look(Path(folder))
    name = name or found.folder.resolve().name
    if found.kind == "ForSequenceClassification":
        length = _length(found.folder, length)
        network = _load("AutoModelForSequenceClassification", found)
        return text_model(network, _open("AutoTokenizer", found.folder), _task(network, task), name, length)
    network = _load("AutoModelForImageClassification", found)
    prepare = _preparation(_open("AutoImageProcessor", found.folder))
    module = ImageNetwork(network, prepare, lambda inner, images: inner(pixel_values=images).logits).eval()
    model = Model(forward=module, space=prepare.space(), task=_task(network, task), name=name)
    check_model(model, torch.linspace(0, 1, 3)[:, None, None, None].expand(3, 3, *prepare.size()))
    return model


def token_ids(folder: Passed[str | Path], texts: Passed[Sequence[str]], length: Passed[int] = 0) -> torch.Tensor:
    """Token ids (texts, length) of texts for the model in a folder, truncated and padded to `length`.

    Raises:
        DataError: if `texts` are no list of texts, or a file is missing or damaged.
        RangeError: if the network does not read so many tokens, or the tokenizer itself writes more.
        Unsupported: if the tokenizer has no padding token, or writes it into texts.

    >>> from probe import token_ids  # doctest: +SKIP
    >>> ids = token_ids("saved/my-classifier", ["a fine film", "a poor one"])  # doctest: +SKIP
    """
    return encoded(folder, texts, length).ids


def encoded(folder: Passed[str | Path], texts: Passed[Sequence[str]], length: Passed[int] = 0) -> Encoded:
    """Token ids as from `token_ids`, and sentences about texts that they do not hold wholly."""
    if not isinstance(folder, str | Path):
        raise DataError(f"folder is {a_kind(folder)}, expected the path of one; write token_ids(folder, texts)")
    found = look(Path(folder))  # the config may determine the tokenizer class
    length = _length(found.folder, length)
    return encode(_open("AutoTokenizer", found.folder), texts, length, found.folder.name)


def _length(folder: Path, asked: Passed[int]) -> int:
    """The number of tokens of a text, at most the positions of the network."""
    most = read_json(folder / "config.json").get("max_position_embeddings")
    most = most if isinstance(most, int) and most > 0 else max(asked, LENGTH)
    if type(asked) is not int or not 0 <= asked <= most:
        raise RangeError(f"length = {asked!r}, and {folder.name} reads from 1 to {most} tokens")
    return asked or min(LENGTH, most)


def _load(auto: str, found: Found) -> Any:
    """The network in eval mode, after checking that no weights are missing."""
    kind = getattr(library("transformers"), auto)
    config = _open("AutoConfig", found.folder)
    try:
        # transformers initialises missing weights at random before it reports them: keep the random state.
        with torch.random.fork_rng(devices=[]):
            with torch.device("meta"), no_more_modules_than(found):
                outline = kind.from_config(config, trust_remote_code=False)
            check_numbers(found, outline)
            # With ignore_mismatched_sizes they are listed in the report below.
            network, report = kind.from_pretrained(
                found.folder, **HERE, config=config, use_safetensors=True, dtype=torch.float32,
                attn_implementation="eager", output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
    except ProbeError:
        raise
    except Exception as error:  # a damaged folder can make the library raise anything
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


def _task(network: Any, task: Task | None) -> Task:
    """The task, with the names in config.json."""
    config = network.config
    names = tuple(str(config.id2label[number]) for number in range(config.num_labels))
    if task is not None:
        return task.called(names)
    usual = "regression" if config.num_labels == 1 else "single_label_classification"
    kind = {"regression": Regression, "multi_label_classification": MultiLabel}.get(config.problem_type or usual)
    return Classification(names) if kind is None else kind(names)


def _preparation(processor: Any) -> Preparation:
    """The preparation equivalent to an image processor, which works on brightness from 0 to 255."""
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
