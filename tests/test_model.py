import subprocess
import sys

import pytest
import torch
from torch import nn

from probe import Model, Space
from probe.errors import DataError, ProbeError, ShapeError

TWO = {"space": Space(), "classes": ("a", "b")}


def test_a_training_module_is_refused():
    with pytest.raises(ProbeError, match=r"training mode.*\.eval\(\)"):
        Model(forward=nn.Linear(2, 2), **TWO)
    mixed = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    mixed[1].train()
    with pytest.raises(ProbeError, match="training mode"):
        Model(forward=mixed, **TWO)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.SyncBatchNorm, nn.LazyBatchNorm1d])
def test_a_batch_norm_that_asks_the_rest_of_the_batch_is_refused(norm):
    """Without running statistics the answer to a row among others is not its answer alone, in eval mode too."""
    width = {} if norm is nn.LazyBatchNorm1d else {"num_features": 2}
    with pytest.raises(ProbeError, match=r"batch norm 1 of the module has no running statistics.*track_running_stats="):
        Model(forward=nn.Sequential(nn.Linear(2, 2), norm(**width, track_running_stats=False)).eval(), **TWO)
    Model(forward=nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval(), **TWO)
    Model(forward=nn.Sequential(nn.Linear(2, 2), nn.InstanceNorm1d(2)).eval(), **TWO)  # of each row by itself


def test_a_weight_or_buffer_deep_inside_that_has_no_numbers_is_found():
    deep = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Sequential(nn.BatchNorm1d(2)))).eval()
    Model(forward=deep, **TWO)
    deep[1][0][0].running_mean = deep[1][0][0].running_mean.to("meta")
    with pytest.raises(ProbeError, match="on the meta device"):
        Model(forward=deep, **TWO)


@pytest.mark.parametrize("rows", [1, 7, 125, 150, 156, 157, 500, 1001])
def test_rows_go_through_in_passes_of_one_length_and_never_more_than_the_batch_size(rows):
    seen = []

    def forward(x):
        seen.append(len(x))
        return x.flatten(1)[:, :2]

    images = 3 * torch.rand(rows, 784) - 1
    assert Model(forward=forward, **TWO).logits(images).equal(images[:, :2])
    assert max(seen) - min(seen) <= len(seen)
    assert max(seen) <= 1.25 * 125
    assert len(seen) == -(-rows // 156)
    seen.clear()
    Model(forward=forward, batch_size=167, **TWO).logits(images)
    assert max(seen) <= 167
    assert sum(seen) == rows


def test_probabilities_are_distinguished_from_logits():
    with pytest.raises(ProbeError, match="returns probabilities"):
        Model(forward=lambda x: x.softmax(-1), **TWO)(torch.rand(4, 2))
    logits = Model(forward=lambda x: x + 1, **TWO)
    assert logits.predict(torch.tensor([[0.1, 0.2]])).tolist() == [1]


@pytest.mark.parametrize("forward", [lambda x: x[:, :1], lambda x: x[:, 0], lambda x: x[:1], lambda x: None])
def test_outputs_that_cannot_be_logits_are_refused(forward):
    with pytest.raises(ShapeError, match="one logit for each class"):
        Model(forward=forward, **TWO)(torch.rand(3, 2))


def test_usage_counts_examples_forward_and_backward():
    model = Model(forward=nn.Linear(2, 2).eval(), **TWO)
    model.logits(torch.rand(7, 2))
    model.gradient(torch.rand(5, 2), lambda z: z[:, 0])
    assert (model.usage.forward, model.usage.backward) == (12, 5)


def test_the_gradient_does_not_depend_on_the_batch():
    model = Model(forward=nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).eval(), **TWO)
    x = torch.rand(5, 2)
    _, together = model.gradient(x, lambda z: z[:, 0])
    _, alone = model.gradient(x[:1], lambda z: z[:, 0])
    torch.testing.assert_close(together[:1], alone)


def test_import_probe_is_fast_and_free_of_torch():
    code = (
        "import time; t = time.process_time(); import probe, sys; seconds = time.process_time() - t; "
        "assert 'torch' not in sys.modules; print(seconds)"
    )
    seconds = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert seconds < 0.2


def test_a_module_set_to_training_later_is_refused_too():
    net = nn.Linear(2, 2).eval()
    model = Model(forward=net, **TWO)
    net.train()
    with pytest.raises(ProbeError, match="training mode"):
        model.predict(torch.rand(1, 2))


def test_inputs_of_another_precision_are_named():
    model = Model(forward=nn.Linear(2, 2).eval(), **TWO)
    with pytest.raises(ShapeError, match=r"inputs are torch\.float64, the model's weights torch\.float32"):
        model.predict(torch.rand(1, 2, dtype=torch.float64))


def test_probabilities_in_half_precision_are_recognised_too():
    with pytest.raises(ProbeError, match="returns probabilities"):
        Model(forward=lambda x: (3 * x).softmax(-1).half().float(), **TWO)(torch.rand(50, 2))


def test_labels_are_checked_where_classes_are_not_named():
    model = Model(forward=nn.Linear(2, 3).eval(), space=Space())
    with pytest.raises(DataError, match="span 0 to 7, expected 0 to 2"):
        model.check_labels(torch.tensor([0, 7]), torch.rand(2, 2))


def test_rounding_errors_beyond_the_bounds_are_clipped_before_an_attack():
    from probe.attacks import PGD

    model = Model(forward=nn.Linear(2, 2).eval(), **TWO)
    x = torch.tensor([[1 + 5e-7, 0.5]])
    result = PGD(eps=0.0)(model, x, model.predict(x))
    assert result.inputs.max() == 1


def test_a_network_on_the_meta_device_is_refused_with_what_gives_it_numbers():
    with pytest.raises(ProbeError, match=r"on the meta device, where they hold no numbers; write network\.to_empty"):
        Model(forward=nn.Linear(3, 2, device="meta").eval())
    filled = nn.Linear(3, 2, device="meta").eval().to_empty(device="cpu")
    filled.load_state_dict(nn.Linear(3, 2).state_dict())
    assert Model(forward=filled).predict(torch.rand(4, 3)).shape == (4,)


class Exported(nn.Linear):
    """What torch.export gives: in training mode by its flag, and without another one."""

    def __init__(self):
        super().__init__(3, 2)
        self.eval = self.refuse

    def refuse(self):
        raise NotImplementedError("Calling eval() is not supported yet.")


def test_an_exported_network_keeps_its_mode():
    assert Model(forward=Exported().train()).predict(torch.rand(4, 3)).shape == (4,)


def test_rows_whose_answers_are_no_numbers_are_counted_and_the_first_is_named():
    rows = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    with pytest.raises(
        ProbeError, match=r"for 2 of 4 finite inputs, the first of these rows is 1; leave such rows out"
    ):
        Model(forward=lambda x: torch.cat([1 / x, x], 1)).predict(rows)
