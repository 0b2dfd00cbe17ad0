"""Tiny models of Hugging Face in a folder, with weights from a private source of randomness.

transformers takes seconds to load, and is loaded by the processes whose tests need it.
"""

from pathlib import Path

import torch

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "the", "a", "was", "not", "very"]
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "hidden_size": 16}
TEXT = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 40, "pad_token_id": 0}
CLASSES = {"id2label": {0: "negative", 1: "positive"}, "label2id": {"negative": 0, "positive": 1}}


def write(network: torch.nn.Module, folder: Path, seed: int = 0) -> Path:
    """Save a network with weights that make its answers differ from row to row."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    network.save_pretrained(folder)
    return folder


def config_of(kind: str, **settings):
    """The configuration of a kind of model, such as "Bert"."""
    import transformers

    return getattr(transformers, f"{kind}Config")(**settings)


def build(config, kind: str) -> torch.nn.Module:
    import transformers

    with torch.random.fork_rng(devices=[]):
        return getattr(transformers, f"AutoModelFor{kind}").from_config(config)


def text(folder: Path, config=None) -> Path:
    """A text classifier with a tokenizer of whole words."""
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    config = config or config_of("Bert", **TEXT, **CLASSES)
    write(build(config, "SequenceClassification"), folder)
    tokens = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokens.normalizer, tokens.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokens, **special).save_pretrained(folder)
    return folder


def image(folder: Path, classes: int = 3, config=None, **processor) -> Path:
    """An image classifier for 16x16 pixels; nobody named its classes."""
    import transformers

    config = config or config_of("ViT", **SMALL, image_size=16, patch_size=8, num_labels=classes)
    write(build(config, "ImageClassification"), folder)
    sides = {"size": {"height": 16, "width": 16}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}
    transformers.ViTImageProcessorPil(**(sides | processor)).save_pretrained(folder)
    return folder
