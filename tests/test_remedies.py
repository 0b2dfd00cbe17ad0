"""What an error says to write is written here, and gives the right value."""

import re
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Dataset, Model, Prediction, Space, check_model, from_predict_proba, predict
from probe.attacks import FGSM
from probe.errors import DataError, ForwardError, ProbeError, ShapeError, Unsupported
from probe.explainers import IntegratedGradients, KernelShap, Saliency
from probe.metrics import Deletion

X = torch.rand(10, 3, generator=torch.Generator().manual_seed(0))
WEIGHT = torch.tensor([[2.0, -1.0, 0.5], [-1.0, 1.5, 0.0]])
RIGHT = X @ WEIGHT.T
HIDDEN = {"torch": torch, "np": np}


def expression(error, begins):
    """The code that an error names, from where it begins to where its brackets close."""
    text = str(error.value)
    assert begins in text, text
    at = start = text.index(begins)
    depth = 0
    while at < len(text) and (depth > 0 or text[at] not in " ;,)"):
        depth += (text[at] in "([") - (text[at] in ")]")
        at += 1
    return text[start:at]


def refused(forward, classes=("a", "b"), x=X, error=ShapeError):
    with pytest.raises(error) as caught:
        Model(forward=forward, classes=classes).predict(x)
    return caught


def probability(x):
    return torch.sigmoid(1 - 4 * x.sum(1, keepdim=True))


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
@pytest.mark.parametrize("of", ["logit", "probability"])
def test_one_number_for_each_row_becomes_two_logits(of, shape):
    """About .012 for yes stays .012, and the answer is no."""
    x = torch.full((4, 3), 0.45)

    def number(x):
        return (probability(x) if of == "probability" else torch.logit(probability(x))).view(shape)

    caught = refused(number, ("no", "yes"), x)
    code = expression(caught, "torch.stack(" if shape == (-1,) else "torch.cat(")

    def mended(x):
        z = number(x)
        if of == "probability":
            z = eval(expression(caught, "torch.logit("), {"torch": torch, "p": z})
        return eval(code, {"torch": torch, "z": z})

    model = Model(forward=mended, classes=("no", "yes"))
    assert model.predict(x).tolist() == [0, 0, 0, 0]
    assert_close(model(x).softmax(-1)[:, 1], torch.full((4,), 0.01213), atol=1e-4, rtol=0)
    check_model(model, x)


def test_a_probability_of_exactly_one_has_a_logit_too():
    caught = refused(lambda x: torch.ones(len(x), 1))
    z = eval(expression(caught, "torch.logit("), {"torch": torch, "p": torch.ones(10, 1)})
    assert z.isfinite().all()


def test_the_likelier_remedy_comes_first():
    text = str(refused(lambda x: x[:, :1]).value)
    assert text.index("probability p") < text.index("logit z")
    text = str(refused(lambda x: 9 * x[:, :1] - 4).value)
    assert text.index("logit z") < text.index("probability p")
    assert "regression" in text


Output = namedtuple("Output", ["logits", "aux"])


class HasLogits:
    def __init__(self, logits):
        self.logits = logits


@pytest.mark.parametrize(("wrap", "remedy", "code"), [
    (HasLogits, "a HasLogits (return its .logits, or say part='logits')", "outputs.logits"),
    (lambda z: Output(z, None), "an Output (return its .logits, or say part='logits')", "outputs.logits"),
    (lambda z: (z, torch.zeros(len(z))), "a tuple (return its first, outputs[0], or say part=0)", "outputs[0]"),
    (lambda z: [torch.zeros(1), z], "a list (return its outputs[1], or say part=1)", "outputs[1]"),
    (lambda z: {"logits": z, "aux": z}, "a dict (return its ['logits'], or say part='logits')", "outputs['logits']"),
    (lambda z: {"out": z, "loss": z.sum()}, "a dict (return its ['out'], or say part='out')", "outputs['out']"),
    (list, "a list (return torch.stack(outputs))", "torch.stack(outputs)"),
    (lambda z: z.tolist(), "a list (return torch.tensor(outputs))", "torch.tensor(outputs)"),
    (lambda z: z.numpy(), "a ndarray (return torch.from_numpy(...) of logits", "torch.from_numpy(outputs)"),
    (lambda z: z[:, :, None, None], "return logits.flatten(1)", "outputs.flatten(1)"),
    (lambda z: z[:, None], "return logits[:, 0]", "outputs[:, 0]"),
    (lambda z: z[:, :, None, None].expand(-1, -1, 4, 4), "return logits.mean((2, 3))", "outputs.mean((2, 3))"),
    (lambda z: z[:, None].expand(-1, 5, -1), "return logits.mean(1)", "outputs.mean(1)"),
    (lambda z: z[:, :, None].expand(-1, -1, 5), "return logits.mean(2)", "outputs.mean(2)"),
    (lambda z: z.T, "return logits.T", "outputs.T"),
])  # fmt: skip
def test_an_output_that_contains_logits_is_refused_with_its_key(wrap, remedy, code):
    caught = refused(lambda x: wrap(x @ WEIGHT.T))
    assert remedy in str(caught.value)
    assert "expected (10, 2): one logit for each class" in str(caught.value)
    model = Model(forward=lambda x: eval(code, {"torch": torch, "outputs": wrap(x @ WEIGHT.T)}), classes=("a", "b"))
    assert_close(model.logits(X), RIGHT)


def test_a_part_of_a_part_is_named_and_opened():
    nested = {"head": (X @ WEIGHT.T, None), "loss": torch.zeros(())}
    for given in (None, "head"):
        with pytest.raises(ShapeError, match=r"say part='head\.0'"):
            Model(forward=lambda x: nested, part=given).logits(X)
    assert_close(Model(forward=lambda x: nested, part="head.0").logits(X), RIGHT)
    with pytest.raises(ShapeError, match=r"a tuple of 2, and part=7 is not one of them"):
        Model(forward=lambda x: nested, part="head.7").logits(X)


@pytest.mark.parametrize(("forward", "message"), [
    (lambda x: None, r"returned None \(is its `return` missing\?\)"),
    (lambda x: x.mean(), "a single number, such as a loss"),
    (lambda x: x.mean(0, keepdim=True), r"answers 1 rows for 10"),
    (lambda x: (x @ WEIGHT.T).argmax(-1), "return the scores before argmax"),
    (lambda x: x[:, :0], "there is no number in it"),
])  # fmt: skip
def test_an_output_without_logits_is_refused_by_its_type(forward, message):
    assert re.search(message, str(refused(forward, ()).value))


def test_a_model_that_squeezes_a_single_row_is_refused():
    def squeezed(x):
        return (x @ WEIGHT.T).squeeze()

    with pytest.raises(ShapeError, match="not one row alone") as caught:
        check_model(Model(forward=squeezed), X)
    assert "logits.reshape(len(x), -1)" in str(caught.value)
    mended = Model(forward=lambda x: squeezed(x).reshape(len(x), -1))
    check_model(mended, X)
    assert_close(mended.logits(X[:1]), RIGHT[:1])


def test_a_softmax_is_dropped_or_its_logarithm_taken():
    caught = refused(lambda x: (x @ WEIGHT.T).softmax(-1), error=ProbeError)
    code = expression(caught, "torch.log(")
    mended = Model(forward=lambda x: eval(code, {"torch": torch, "p": (x @ WEIGHT.T).softmax(-1)}))
    assert_close(mended.logits(X).softmax(-1), RIGHT.softmax(-1))
    box = from_predict_proba(lambda x: (torch.from_numpy(x) @ WEIGHT.T).softmax(-1).numpy(), Space(), ("a", "b"))
    assert_close(box.logits(X).softmax(-1), RIGHT.softmax(-1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_softmax_in_half_precision_is_recognised(dtype):
    with pytest.raises(ProbeError, match="returns probabilities"):
        Model(forward=lambda x: (x @ WEIGHT.T).to(dtype).softmax(-1))(X)


def test_sigmoids_of_single_labels_are_refused_and_studied_one_by_one():
    heads = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    caught = refused(lambda x: torch.sigmoid(x @ heads.T), (), error=ProbeError)
    code = expression(caught, "torch.stack(")
    for k in range(4):
        model = Model(
            forward=lambda x, k=k: eval(code, {"torch": torch, "z": x @ heads.T, "k": k}), classes=("no", "yes")
        )
        assert_close(model.logits(X).softmax(-1)[:, 1], torch.sigmoid(X @ heads[k]))


def test_logits_in_0_to_1_pass_with_the_suggested_constant():
    small = WEIGHT.abs() / 10
    caught = refused(lambda x: (x @ small.T).abs(), error=ProbeError)
    assert "return logits + 2" in str(caught.value)
    model = Model(forward=lambda x: x @ small.T + 2)
    assert_close(model.logits(X).softmax(-1), (X @ small.T).softmax(-1))
    assert Model(forward=lambda x: x @ small.T).logits(X[:7]).shape == (7, 2)
    first = Model(forward=lambda x: x @ WEIGHT.T)
    first.logits(X)
    first.logits(torch.tensor([[0.1, 0.01, 0.1 + row / 99] for row in range(9)]))


def test_a_linear_layer_with_answers_in_0_to_1_is_not_taken_for_a_sigmoid():
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(WEIGHT.abs() / 10)
        layer.bias.fill_(0.1)
    assert Model(forward=layer.eval()).logits(X).shape == (10, 2)
    for last in (
        nn.Sigmoid(),
        lambda z: 1 / (1 + torch.exp(-z)),
        lambda z: z.tanh() / 2 + 0.5,
        lambda z: z.clamp(0, 1),
    ):
        refused(lambda x, last=last: last(layer(x)), error=ProbeError)


LINEAR = nn.Linear(3, 2).eval()
with torch.no_grad():
    LINEAR.weight.copy_(WEIGHT)
MODEL = Model(forward=LINEAR, space=Space(reference=torch.zeros(1, 3)))
LABELS = [0, 1, 0, 1, 1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("inputs", [
    X.tolist(), list(X), tuple(X), X.double(), {"x": X}, X[0], X.round().long(), X.to_sparse(),
], ids=lambda x: type(x).__name__)  # fmt: skip
def test_inputs_of_another_kind_are_made_tensors_as_the_error_says(inputs):
    with pytest.raises(ShapeError) as caught:
        IntegratedGradients()(MODEL, inputs)
    text = str(caught.value)
    begins = "torch." if "write torch." in text else "inputs"
    code = text[text.rindex("such as " if "such as " in text and "write" not in text else "write ") :]
    code = code.split(" ", 1)[1].removeprefix("as ").split(" where ")[0].split(" for ")[0]
    assert code.startswith(begins)
    made = eval(code, {"torch": torch, "inputs": inputs})
    assert IntegratedGradients()(MODEL, made).values.shape[1:] == (3,)


@pytest.mark.parametrize("labels", [
    1, LABELS, torch.tensor(1), torch.tensor(LABELS)[:, None],
    nn.functional.one_hot(torch.tensor(LABELS)), torch.tensor(LABELS).float(),
    nn.functional.one_hot(torch.tensor(LABELS)).bool(), pd.get_dummies(pd.Series(LABELS)).astype(int),
], ids=lambda x: type(x).__name__)  # fmt: skip
def test_labels_of_another_kind_are_made_indices_as_the_error_says(labels):
    with pytest.raises((ShapeError, DataError)) as caught:
        Saliency()(MODEL, X, labels)
    code = str(caught.value).split("write ")[1].split(" where ")[0]
    made = eval(code, {"torch": torch, "np": np, "labels": labels, "targets": labels})
    expected = (
        [1] * 10 if isinstance(labels, int) or (labels is not LABELS and getattr(labels, "ndim", 1) == 0) else LABELS
    )
    assert Saliency()(MODEL, X, made).targets.tolist() == expected


@pytest.mark.parametrize("kind", [torch.float32, torch.int64, torch.bool])
def test_labels_of_a_data_set_that_are_one_hot_are_made_indices_as_the_error_says(kind):
    labels = nn.functional.one_hot(torch.tensor(LABELS)).to(kind)
    with pytest.raises((ShapeError, DataError)) as caught:
        predict(MODEL, Dataset(X, labels))
    code = str(caught.value).split("write ")[1].split(" where ")[0]
    made = eval(code, {"np": np, "labels": labels})
    assert predict(MODEL, Dataset(X, made)).labels.tolist() == LABELS
    with pytest.raises(ShapeError, match="expected one class index for each"):
        Prediction.of(MODEL, X, labels)


def test_rows_of_a_data_set_without_strides_are_made_dense_as_the_error_says():
    with pytest.raises(ShapeError, match=r"data: inputs are a tensor without strides .*; write inputs\.to_dense\(\)"):
        Dataset(X.to_sparse(), torch.tensor(LABELS))
    with pytest.raises(ShapeError, match=r"data: labels are .*; write labels\.to_dense\(\)"):
        Dataset(X, torch.tensor(LABELS).to_sparse())


MIXED = pd.DataFrame({"a": X[:, 0].numpy(), "b": [True, False] * 5, "c": [0, 1] * 5})
NAMED = replace(MODEL, space=Space(reference=torch.zeros(1, 3), names=("a", "b", "c")))


@pytest.mark.parametrize("inputs", [
    X.numpy(), X.double().numpy(), X.numpy().astype(">f4"), np.asfortranarray(X.numpy()), pd.DataFrame(X.numpy()),
], ids=lambda x: f"{type(x).__name__}-{getattr(x, 'dtype', '')}")  # fmt: skip
@pytest.mark.parametrize("labels", [np.array(LABELS), np.array(LABELS, np.uint8), pd.Series(LABELS)])
def test_arrays_and_data_frames_go_in_where_tensors_do(inputs, labels):
    expected = FGSM(eps=0.1)(MODEL, X, torch.tensor(LABELS))
    assert_close(FGSM(eps=0.1)(MODEL, inputs, labels).perturbed, expected.perturbed)
    explained = IntegratedGradients()(MODEL, X, torch.tensor(LABELS))
    assert_close(IntegratedGradients()(MODEL, inputs, labels).values, explained.values)
    assert_close(MODEL.logits(inputs), MODEL.logits(X))
    data = Dataset(inputs, labels, classes=("no", "yes"))
    assert_close(data.inputs, X)
    assert data.labels.tolist() == LABELS


def test_a_data_frame_of_numbers_of_several_kinds_is_numbers():
    rows = torch.tensor(MIXED.to_numpy(np.float32))
    assert_close(MODEL.logits(MIXED), LINEAR(rows).detach())


def test_columns_with_the_names_of_the_space_are_taken_in_its_order():
    assert_close(NAMED.logits(MIXED[["c", "a", "b"]]), NAMED.logits(MIXED))
    with pytest.raises(ShapeError, match="a data frame without the column 'b'; expected a, b, c"):
        NAMED.predict(MIXED.rename(columns={"b": "d"}))


def test_a_change_of_an_array_afterwards_changes_no_dataset():
    array = X.numpy().copy()
    data = Dataset(array, np.array(LABELS))
    array[:] = 0
    assert_close(data.inputs, X)


@pytest.mark.parametrize("given", [np.array(["a"] * 10), pd.DataFrame({"a": ["x"] * 10}), "rows", None, [1.0] * 10])
def test_what_is_no_array_of_numbers_is_refused_in_words(given):
    with pytest.raises(DataError, match="expected a tensor, an array or a data frame of numbers"):
        Dataset(given, np.array(LABELS))
    with pytest.raises(ShapeError):
        MODEL.logits(given)


def test_two_inputs_are_joined():
    one, two = torch.rand(4, 3), torch.rand(4, 2)
    with pytest.raises(ShapeError) as caught:
        MODEL.predict((one, two))
    joined = eval(expression(caught, "torch.cat("), {"torch": torch, "inputs": (one, two)})
    model = Model(forward=lambda x: torch.stack([x[:, :3].sum(1), x[:, 3:].sum(1)], 1))
    assert_close(model.logits(joined), torch.stack([one.sum(1), two.sum(1)], 1))


def test_a_space_without_reference_takes_one_as_the_error_says():
    bare = replace(MODEL, space=Space())
    found = Saliency()(bare, X)
    for method in (lambda m: KernelShap()(m, X), lambda m: IntegratedGradients()(m, X), lambda m: Deletion()(m, found)):
        with pytest.raises(Unsupported, match=r"set Space\(reference=rows\)"):
            method(bare)
        method(replace(bare, space=Space(reference=X[:2])))


def test_a_single_reference_row_is_made_rows():
    bare = replace(MODEL, space=Space(reference=torch.zeros(3)))
    with pytest.raises(ShapeError, match=re.escape("write reference[None]")):
        KernelShap()(bare, X)
    KernelShap()(replace(bare, space=Space(reference=torch.zeros(3)[None])), X)


def test_numbers_of_features_are_made_whole():
    features = torch.tensor([0.0, 0.0, 1.0])
    with pytest.raises(ShapeError) as caught:
        Space(features=features)
    assert eval(expression(caught, "Space(features="), {"torch": torch, "features": features, "Space": Space})


def test_hidden_weights_of_another_type_get_a_remedy():
    wide = nn.Linear(3, 2).double().eval()
    model = Model(forward=lambda x: wide(x))
    with pytest.raises(ForwardError) as caught:
        model.predict(X)
    made = eval(expression(caught, "inputs.to("), {"torch": torch, "inputs": X})
    assert_close(model.logits(model.check(made)), wide(made))


def test_a_lazy_module_has_a_digest_after_its_first_forward():
    model = Model(forward=nn.Sequential(nn.LazyLinear(2)).eval())
    with pytest.raises(ProbeError, match=re.escape("call model.predict(inputs[:1]) first")):
        model.digest()
    model.predict(X[:1])
    assert len(model.digest()) == 64
