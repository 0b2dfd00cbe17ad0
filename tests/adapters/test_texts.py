"""Text classifiers of Hugging Face: the same answers as theirs, padding included, and explanations that add up."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from probe import Classification, MultiLabel, Regression, check_model, from_transformers, token_ids
from probe.adapters import encoded
from probe.errors import DataError, ProbeError, RangeError, ShapeError, UnsafeError, Unsupported
from probe.explainers import IntegratedGradients, KernelShap
from tests.adapters.conftest import bomb
from tests.adapters.huggingface import CLASSES, TEXT, WORDS, build, config_of, text, write

SENTENCES = ["the film was good", "not a bad film the film was very good", "bad", "the film was xyzzy"]
LENGTH = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return text(tmp_path_factory.mktemp("hub") / "reviews")


@pytest.fixture(scope="module")
def model(folder):
    return from_transformers(folder, length=LENGTH)


@pytest.fixture(scope="module")
def ids(folder):
    return token_ids(folder, SENTENCES, LENGTH)


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "reviews")


def theirs(folder, ids):
    """What transformers answers, with its own attention mask."""
    import transformers

    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return network(input_ids=ids, attention_mask=(ids != 0).long()).logits


def test_words_classes_and_what_is_absent_are_those_of_the_folder(model, ids):
    assert model.name == "reviews"
    assert model.classes == ("negative", "positive")
    assert model.space.words == tuple(WORDS)
    assert model.space.form.special[0] == 0
    assert set(model.space.form.special) == {0, 1, 2, 3, 4}
    assert model.space.reference.tolist() == [[2] + [0] * (LENGTH - 1)]
    assert model.space.describe(ids)[0][:7] == ["[CLS]", "the", "film", "was", "good", "[SEP]", ""]


def test_answers_equal_those_of_transformers_for_any_padding(folder, model, ids):
    assert float(theirs(folder, ids).std()) > 0.1
    torch.testing.assert_close(model.logits(ids), theirs(folder, ids), atol=1e-5, rtol=1e-5)
    longer = from_transformers(folder, length=30)
    torch.testing.assert_close(longer.logits(token_ids(folder, SENTENCES, 30)), model.logits(ids), atol=1e-5, rtol=1e-5)
    check_model(model, ids)


def test_texts_are_cut_at_the_length(folder):
    assert token_ids(folder, SENTENCES, 5).tolist()[1] == [2, 11, 9, 6, 3]


def test_what_the_ids_do_not_hold_of_texts_is_said(folder):
    """A cut text answers as another text does, and nobody sees it in the ids."""
    found = encoded(folder, ["film " * 20, "bad", "", " \n", "xyzzy \N{GRINNING FACE}"], 8)
    assert found.notices == (
        "1 of 5 texts are longer than 8 tokens, and are cut there; the longest has 22",
        "2 of 5 texts hold no word",
        "1 of 5 texts hold no word that the tokenizer knows",
    )
    assert encoded(folder, ["a film"], 8).notices == ()


@pytest.mark.parametrize(("texts", "message"), [
    ("good film", r"texts are a str, expected a list of texts, such as \['a fine film'\]"),
    (7, "texts are an int, expected a list of texts"),
    ([], "an empty list"),
    (["good", None], "text 1 is None"),
    (["good", float("nan")], "text 1 is a float"),
    ([("good", "film")], "text 0 is a tuple"),
    ([b"good"], "text 0 is a bytes"),
    (["good", "\ud800 film"], "text 1 holds half of a letter"),
    (["good", "a [PAD] film"], r"text 1 holds '\[PAD\]', by which the tokenizer of reviews marks absent words"),
])  # fmt: skip
def test_what_is_no_list_of_texts_is_refused_in_one_sentence(folder, texts, message):
    with pytest.raises(DataError, match=message):
        token_ids(folder, texts, LENGTH)


def test_a_length_that_leaves_no_room_for_words_is_refused(folder):
    with pytest.raises(RangeError, match=r"length = 1 leaves no room .*; set 2 or more"):
        token_ids(folder, [""], 1)
    assert token_ids(folder, [""], 2).tolist() == [[2, 3]]
    with pytest.raises(RangeError, match="length = '12'"):
        token_ids(folder, [""], "12")


def test_texts_handed_to_a_model_are_told_how_to_become_ids(folder, model):
    with pytest.raises(ShapeError, match=r"inputs are a list, .* encode texts first, as probe\.token_ids"):
        model.predict(["good film"])
    assert model.predict(token_ids(folder, ["good film"], LENGTH)).shape == (1,)


def tokenizing(folder, **settings):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return folder


@pytest.mark.parametrize("token", ["[SEP]", "[UNK]"])
def test_padding_that_also_stands_in_texts_is_refused(copied, token):
    """The network attends to [SEP] at the end of a text: masked as an absent word, it answers otherwise."""
    import transformers

    tokenizing(copied, pad_token=token)
    for ask in (lambda: from_transformers(copied), lambda: token_ids(copied, ["good xyzzy"], LENGTH)):
        with pytest.raises(Unsupported, match=rf"pads with '\{token[:-1]}\]', which it also writes into texts"):
            ask()
    tokenizer = transformers.AutoTokenizer.from_pretrained(copied)  # what the message says
    network = transformers.AutoModelForSequenceClassification.from_pretrained(copied)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    network.resize_token_embeddings(len(tokenizer))
    network.config.pad_token_id = tokenizer.pad_token_id
    for each in (tokenizer, network):
        each.save_pretrained(copied)
    ids = token_ids(copied, SENTENCES, LENGTH)
    torch.testing.assert_close(from_transformers(copied, length=LENGTH).logits(ids), theirs(copied, ids))


@pytest.mark.parametrize(("kind", "answers"), [("Bert", True), ("Roberta", False)])
def test_a_text_padded_at_the_left_gets_the_answer_of_transformers_or_none(tmp_path, kind, answers):
    """Roberta numbers the words of a text from its ids, and among embeddings cannot see where it begins."""
    config = config_of(kind, **TEXT | {"max_position_embeddings": 42, "bos_token_id": 2, "eos_token_id": 3}, **CLASSES)
    folder = tokenizing(text(tmp_path / "left", config), padding_side="left")
    ids = token_ids(folder, SENTENCES, LENGTH)
    assert ids[:, 0].tolist() == [0, 0, 0, 0]
    if not answers:
        with pytest.raises(Unsupported, match="save its tokenizer with padding_side = 'right'"):
            from_transformers(folder, length=LENGTH)
        tokenizing(folder, padding_side="right")
        ids = token_ids(folder, SENTENCES, LENGTH)
    torch.testing.assert_close(from_transformers(folder, length=LENGTH).logits(ids), theirs(folder, ids))


def test_the_values_of_integrated_gradients_add_up_and_padding_is_worth_nothing(model, ids):
    attribution = IntegratedGradients()(model, ids)
    answer = model.logits(ids) - model.logits(model.space.reference)
    risen = answer.gather(1, attribution.targets[:, None])[:, 0]
    assert float(risen.abs().max()) > 0.1
    torch.testing.assert_close(attribution.values.sum(1), risen, atol=2e-3, rtol=0.02)
    assert float(attribution.values[ids == 0].abs().max()) < 1e-6
    assert float(attribution.values[:, 0].abs().max()) < 1e-6  # [CLS] is never absent


def test_the_values_of_kernel_shap_are_what_leaving_words_out_does(model, ids):
    short = ids[2:3]  # [CLS] bad [SEP]: four coalitions are all there are
    attribution = KernelShap()(model, short)
    target = int(attribution.targets[0])

    def value(*kept: int) -> float:
        row = torch.zeros_like(short)
        row[0, 0] = 2
        row[0, list(kept)] = short[0, list(kept)]
        return float(model.logits(row)[0, target])

    bad = (value(1) - value() + value(1, 2) - value(2)) / 2
    end = (value(2) - value() + value(1, 2) - value(1)) / 2
    torch.testing.assert_close(attribution.values[0, 1:3], torch.tensor([bad, end]), atol=2e-3, rtol=0)
    assert float(attribution.values[0, 3:].abs().max()) < 2e-3


@pytest.mark.parametrize(("kind", "settings"), [
    ("DistilBert", {"vocab_size": len(WORDS), "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 16,
                    "max_position_embeddings": 40, "pad_token_id": 0}),
    ("Electra", TEXT | {"embedding_size": 16}),
    ("DebertaV2", TEXT | {"type_vocab_size": 0, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
], ids=["DistilBert", "Electra", "DebertaV2"])  # fmt: skip
def test_other_text_architectures_give_the_outputs_of_transformers(tmp_path, kind, settings, ids):
    model = from_transformers(text(tmp_path / "other", config_of(kind, **settings, **CLASSES)), length=LENGTH)
    torch.testing.assert_close(model.logits(ids), theirs(tmp_path / "other", ids), atol=1e-4, rtol=1e-4)


def test_a_network_that_looks_for_the_last_word_is_refused(tmp_path):
    config = config_of("GPT2", vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=40,
                       pad_token_id=0, bos_token_id=2, eos_token_id=3, **CLASSES)  # fmt: skip
    with pytest.raises(Unsupported, match="differently from embeddings than from token ids"):
        from_transformers(text(tmp_path / "gpt", config), length=LENGTH)


def test_a_text_has_no_more_tokens_than_the_network_has_positions_for(folder):
    assert from_transformers(folder).space.reference.shape == token_ids(folder, ["good"]).shape == (1, 40)
    for ask in (from_transformers, lambda where, length: token_ids(where, ["good"], length)):
        with pytest.raises(RangeError, match="reads from 1 to 40 tokens"):
            ask(folder, length=41)


def test_loading_a_text_model_changes_neither_random_state_nor_environment(folder):
    environment, state = dict(os.environ), torch.get_rng_state()
    from_transformers(folder, length=LENGTH)
    assert dict(os.environ) == environment
    assert torch.equal(torch.get_rng_state(), state)


def test_a_name_of_the_hub_is_not_looked_up(monkeypatch):
    def call(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr("socket.socket.connect", call)
    for ask in (from_transformers, lambda name: token_ids(name, ["good"])):
        with pytest.raises(DataError, match="save_pretrained"):
            ask("distilbert/distilbert-base-uncased")


def test_weights_in_a_pickle_are_refused(copied):
    (copied / "model.safetensors").unlink()
    (copied / "pytorch_model.bin").write_bytes(bomb())
    with pytest.raises(UnsafeError, match=r"pytorch_model\.bin, which is a pickle"):
        from_transformers(copied)
    (copied / "model.safetensors").write_bytes(bomb())
    with pytest.raises(UnsafeError, match="not opened"):
        from_transformers(copied)


def configure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_code_in_the_folder_is_not_run(copied, tmp_path):
    marker = tmp_path / "ran"
    (copied / "theirs.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Theirs: pass\n")
    auto = {"AutoConfig": "theirs.Theirs", "AutoModelForSequenceClassification": "theirs.Theirs"}
    configure(copied, model_type="theirs", auto_map=auto)
    with pytest.raises(UnsafeError, match="needs code of its own, which is not run"):
        from_transformers(copied)
    assert not marker.exists()


def test_a_missing_head_is_not_drawn_at_random(copied):
    tensors = load_file(copied / "model.safetensors")
    del tensors["classifier.weight"]
    tensors["head.weight"] = torch.zeros(1)
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    state = torch.get_rng_state()
    with pytest.raises(ShapeError, match=r"(?s)missing classifier\.weight.*unexpected head\.weight"):
        from_transformers(copied)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("changes", "error", "message"), [
    ({"vocab_size": 10**6}, DataError, "declares .* weights and .* beside them, its files"),
    ({"hidden_size": 24}, ShapeError, r"word_embeddings\.weight: the file has \(13, 16\), the module \(13, 24\)"),
    ({"architectures": ["BertForMaskedLM"]}, Unsupported, "BertForMaskedLM, expected one that ends in"),
    ({"architectures": None}, Unsupported, "no named architecture"),
    ({"id2label": {"0": "score"}, "label2id": {"score": 0}}, ShapeError,
     r"classifier\.bias: the file has \(2,\), the module \(1,\)"),
    ({"model_type": "no-such-type"}, DataError, "transformers cannot open reviews"),
])  # fmt: skip
def test_a_config_that_does_not_fit_is_refused_in_one_sentence(copied, changes, error, message):
    configure(copied, **changes)
    with pytest.raises(error, match=message):
        from_transformers(copied)


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000])
def test_a_damaged_config_is_refused_in_one_sentence(copied, content):
    (copied / "config.json").write_text(content)
    with pytest.raises(DataError, match=r"is not JSON|holds a list"):
        from_transformers(copied)


def test_a_weight_index_that_leaves_the_folder_is_refused(copied):
    (copied / "model.safetensors").rename(copied.parent / "model.safetensors")
    index = {"weight_map": {"bert.embeddings.word_embeddings.weight": "../model.safetensors"}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeError, match="outside its folder"):
        from_transformers(copied)


def test_weights_in_several_files_are_read(folder, ids, tmp_path):
    import transformers

    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    network.save_pretrained(tmp_path / "parts", max_shard_size="5KB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path / "parts")
    torch.testing.assert_close(from_transformers(tmp_path / "parts", length=LENGTH).logits(ids), theirs(folder, ids))


def test_a_folder_of_adapter_weights_is_refused_until_merged(copied):
    (copied / "adapter_config.json").write_text("{}")
    with pytest.raises(Unsupported, match="merge"):
        from_transformers(copied)


def test_without_the_library_the_error_says_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(ProbeError, match=r'needs transformers.*pip install "transformers>=5" "timm'):
        from_transformers(folder)


def test_the_task_comes_from_config_json_unless_one_is_given(tmp_path):
    config = config_of("Bert", **TEXT, num_labels=1)
    write(build(config, "SequenceClassification"), tmp_path / "stars")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(text(tmp_path / "other") / name, tmp_path / "stars")
    assert from_transformers(tmp_path / "stars").task == Regression(("LABEL_0",))
    logit = Classification(("no", "yes"), outputs="one logit")
    assert from_transformers(tmp_path / "stars", task=logit).classes == ("no", "yes")
    configure(tmp_path / "other", problem_type="multi_label_classification")
    assert from_transformers(tmp_path / "other").task == MultiLabel(("negative", "positive"))
