"""What a model is asked, how much at once, in which type; and what is said where it cannot answer."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from probe import Dataset, Model, Prediction, Space, check_model
from probe.attacks import FGSM, PGD, HotFlip, LowPrecision, Quantised, Recolor, SmoothPerturbation
from probe.attacks.spatial import Turned
from probe.audit import plan_from, run
from probe.audit.estimate import estimate
from probe.contracts import Attack, Explainer
from probe.errors import ForwardError, RangeError, ShapeError, Unsupported
from probe.explainers import LRP, AgainstBaseline, IntegratedGradients, KernelShap, Lime, Saliency
from probe.metrics import Accuracy, Completeness, Deletion, RobustAccuracy
from probe.registry import discover
from probe.threats import Patch
from tests.light import light, own_attacks, own_explainers

EVERY = [light(kind()) for family in (own_explainers(), own_attacks()) for kind in family.values()]
OF_ROWS = [method for method in EVERY if "layers" not in getattr(method, "needs", ())]  # maps are laid over images
LITTLE = {"attack": {"eps": ["0.05"]}}  # one radius: what these audits are about is the same at each
X = torch.rand(9, 3, generator=torch.Generator().manual_seed(0))


def _moves(method):
    return method.threat.moves if isinstance(method, Attack) else "numbers"


def network(dtype=torch.float32):
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, -1.0, 0.5], [-1.0, 1.5, 0.0]]))
        layer.bias.copy_(torch.tensor([-0.7, 0.3]))
    return layer.to(dtype).eval()


def space():
    return Space(reference=torch.zeros(2, 3))


class NoWayBack(torch.autograd.Function):
    """Stands for what torch can do forwards only, such as cuDNN's recurrent layers in eval mode."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("cudnn RNN backward can only be called in training mode")


class OneWay(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = network()

    def forward(self, x):
        return self.layer(NoWayBack.apply(x))


OF_IMAGES = (Recolor, SmoothPerturbation, AgainstBaseline)  # which are for images, or series, alone


@pytest.mark.parametrize("method", OF_ROWS, ids=lambda method: method.name())
def test_an_error_in_the_backward_pass_is_a_forward_error(method):
    if _moves(method) == "edges":
        graphs = Space(form="graph", reference=torch.zeros(1, 2, 2))
        model = Model(forward=lambda x: OneWay()(x.flatten(1)[:, :3]), space=graphs)
        x = torch.tensor([[[0.0, 1], [1, 0]], [[0.0, 0], [0, 0]]])
    elif _moves(method) == "tokens":
        words = Space(words=tuple("-?abc"), bounds=(0, 4), reference=torch.zeros(1, 1, dtype=torch.long))
        model = Model(forward=lambda e: OneWay()(e.flatten(1)), embed=nn.Embedding(5, 3).eval(), space=words)
        x = torch.tensor([[2], [3]])
    elif isinstance(getattr(method, "threat", None), Patch | Turned) or isinstance(method, OF_IMAGES):
        model = Model(forward=lambda x: OneWay()(x.flatten(1)[:, :3]), space=Space(reference=torch.zeros(1, 3, 6, 6)))
        x = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    else:
        model, x = Model(forward=OneWay().eval(), space=space(), training=(X, torch.arange(9) % 2)), X
    labels = model.predict(x)
    inside = PGD() if isinstance(method, Quantised | LowPrecision) else getattr(method, "explainer", method)
    if "gradients" not in method.needs | inside.needs:
        found = method(model, x, labels).perturbed if isinstance(method, Attack) else method(model, x).values
        assert found.isfinite().all()
        return
    if isinstance(method, LRP):  # it passes relevance back by its own rules
        assert torch.equal(method(model, x).values, method(replace(model, forward=network()), x).values)
        return
    with pytest.raises(ForwardError, match=r"no gradient of model: .*cuDNN has no gradient of.*KernelShap or Lime"):
        method(model, x, labels)


def test_outputs_that_do_not_depend_on_inputs_have_no_gradients():
    net = network()
    model = Model(forward=lambda x: net(x.detach()), space=space())
    for method in (Saliency(), IntegratedGradients(), FGSM(), PGD()):
        with pytest.raises(Unsupported, match="black box"):
            method(model, X, model.predict(X))


def test_an_audit_goes_on_without_the_steps_that_have_no_gradient(tmp_path):
    model = Model(forward=OneWay().eval(), space=space(), classes=("a", "b"))
    data = Dataset(X, model.predict(X), space=space(), classes=("a", "b"))
    plan = plan_from({"name": "a", "model": {"factory": "a:b"}, "data": {"csv": "x", "label": "y"}} | LITTLE)
    assert estimate(plan, model, data) > 0
    bundle = run(plan, model, data, tmp_path / "a")
    status = {step.name: step.status for step in bundle.manifest.steps}
    assert bundle.manifest.status == "complete"
    assert status["explain-kernel_shap"] == status["explain-lime"] == "done"
    assert status["explain-integrated_gradients"] == status["attack-pgd"] == "error"


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.most = network(), 0

    def forward(self, x):
        self.most = max(self.most, len(x))
        return self.layer(x.flatten(1)[:, :3])


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("method", [
    Saliency(), IntegratedGradients(steps=4), KernelShap(), Lime(samples=30), FGSM(eps=0.3), PGD(eps=0.3, steps=4),
    HotFlip(eps=2),
    discover("attack")["grad_argmax"](), Accuracy(), Deletion(steps=2, random_orders=2), Completeness(),
    RobustAccuracy(),
], ids=lambda method: method.name())  # fmt: skip
def test_no_pass_holds_more_rows_than_the_batch_size(method, size):
    counted, moves = Counts().eval(), _moves(method)
    words = Space(words=tuple("-?abc"), bounds=(0, 4), reference=torch.zeros(1, 2, dtype=torch.long))
    graphs = Space(form="graph", reference=torch.zeros(1, 2, 2))
    x, where = {
        "tokens": (torch.randint(2, 5, (9, 2)), words),
        "edges": (torch.tensor([[0.0, 1], [1, 0]]).expand(9, 2, 2), graphs),
    }.get(moves, (X, space()))
    embed = nn.Embedding(5, 3).eval() if moves == "tokens" else None
    model = Model(forward=counted, embed=embed, space=where, batch_size=size)
    check_model(model, x)
    labels = model.predict(x)
    if isinstance(method, Explainer | Attack):
        method(model, x, labels)
    elif isinstance(method, Accuracy):
        method(model, Prediction(model.logits(x), labels))
    else:
        attacked = isinstance(method, RobustAccuracy)
        method(model, PGD(eps=0.1, steps=4)(model, x, labels) if attacked else IntegratedGradients(steps=4)(model, x))
    assert counted.most == size


@pytest.mark.slow
def test_an_audit_respects_the_batch_size(tmp_path):
    counted = Counts().eval()
    model = Model(forward=counted, space=space(), classes=("a", "b"), batch_size=3)
    data = Dataset(X, model.predict(X), space=space(), classes=("a", "b"))
    plan = plan_from({"name": "a", "model": {"factory": "a:b"}, "data": {"csv": "x", "label": "y"}} | LITTLE)
    run(plan, model, data, tmp_path / "a")
    assert counted.most == 3


@pytest.mark.parametrize("size", [0, -1, True, 2.5])
def test_a_batch_size_is_a_number_of_rows(size):
    with pytest.raises((RangeError, TypeError), match="batch_size"):
        Model(forward=network(), batch_size=size)


def test_float32_is_given_to_a_float64_module_as_it_is():
    model = Model(forward=network(torch.float64), space=space())
    assert_close(model.logits(model.check(X)), network(torch.float64)(X.double()))
    assert model.predict(X.half()).shape == (9,)
    found = KernelShap()(model, X, torch.ones(9, dtype=torch.long))
    assert found.values.dtype == torch.float64
    assert_close(found.values, network(torch.float64).weight[1].detach() * X)
    assert PGD(eps=0.1)(model, X, model.predict(X)).perturbed.dtype == torch.float64
    with pytest.raises(ShapeError, match=r"inputs are torch\.float64, the model's weights torch\.float16"):
        Model(forward=network(torch.float16)).predict(X.double())


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_an_audit_gives_a_module_its_own_type(dtype, tmp_path):
    model = Model(forward=network(dtype), space=space(), classes=("a", "b"))
    data = Dataset(X, model.predict(X.to(dtype)), space=space(), classes=("a", "b"))
    plan = plan_from({"name": "a", "model": {"factory": "a:b"}, "data": {"csv": "x", "label": "y"}} | LITTLE)
    bundle = run(plan, model, data, tmp_path / "a")
    steps = {step.name: (step.status, step.note) for step in bundle.manifest.steps}
    assert {status for status, _ in steps.values()} == {"done"}, steps


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
def test_token_ids_of_any_whole_type_are_read(dtype):
    words = Space(words=tuple("-?abc"), bounds=(0, 4), reference=torch.zeros(1, 2, dtype=dtype))
    model = Model(forward=lambda e: network()(e.mean(1)), embed=nn.Embedding(5, 3).eval(), space=words)
    ids = torch.tensor([[2, 3], [4, 0]])
    labels = model.predict(ids)
    for method in (HotFlip(), KernelShap(), IntegratedGradients()):
        found, expected = method(model, ids.to(dtype), labels), method(model, ids, labels)
        assert found.to_frame().equals(expected.to_frame())


def test_a_mean_reference_in_half_precision_is_not_rounded_first():
    rows = torch.tensor([[2048.0], [2049.0], [2049.0], [2050.0]])
    assert Space(bounds=(0.0, 4000.0), reference=rows).baseline(torch.zeros(1, 1, dtype=torch.float64)).item() == 2049
    half = Space(bounds=(0.0, 4000.0), reference=rows).baseline(torch.zeros(1, 1, dtype=torch.bfloat16))
    assert half.item() == torch.tensor(2049.0).bfloat16().item()
