"""Every option of training changes what comes out; its exact meaning is tested beside its module."""

import json
import math
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch
from probe_models.networks import build, initialisers, start
from probe_models.networks.network import Network
from probe_models.training import augment, augmentations, losses, metrics, optimisers, schedules, stepper
from probe_models.training.loop import fit
from probe_models.training.objectives import OBJECTIVES, objective_of
from probe_models.training.objectives.classification import Classification
from probe_models.training.rows import split_validation
from probe_models.training.settings import Adversary, Balance, Settings
from probe_models.training.stepper import Stepper
from probe_models.zoo import recipe_of

from probe import Dataset, Space, zoo
from probe.errors import DataError, PlanError, ProbeError, RangeError, ShapeError

CPU = torch.device("cpu")
BASE = Settings(epochs=4, batch_size=20, learning_rate=1e-2, clip=0.0)
OPTIONS = [
    *({"optimiser": name} for name in ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")),
    *({"schedule": name} for name in ("constant", "step", "one-cycle")),
    *({"loss": name} for name in ("mse", "bce")),
    *({"initialiser": name} for name in ("he", "xavier", "orthogonal", "truncated normal")),
    *({"augment": {name: strength}} for name, strength in (("flip", 0.5), ("shift", 1), ("crop", 1), ("cutout", 2))),
    {"augment": {"noise": 0.1}},
    {"augment": {"omit": 0.3}},
    {"augment": "flip and shift"},
    {"batch_size": 30},
    {"learning_rate": 2e-2},
    {"warmup": 0.0},
    {"validation": 0.2},
    {"weight_decay": 0.1},
    {"label_smoothing": 0.1},
    {"class_weights": (1.0, 3.0)},
    {"l1": 0.1},
    {"clip": 0.1},
    {"ema": 0.9},
    {"ema": 0.9, "ema_warmup": False},
    {"mixup": 0.4},
    {"precision": "bfloat16"},
    {"adversary": Adversary(method="fgsm", eps=0.1)},
    {"balance": Balance(method="reweight", groups=("half",))},
    {"freeze": {"blocks.0.*": 0.5}},
]
# These need another one to matter, or change no number; each has a test of its own.
ELSEWHERE = {
    "epochs",
    "patience",
    "momentum",
    "gamma",
    "milestones",
    "plateau_patience",
    "execution",
    "layout",
    "parallel",
    "recurrent",
    "certified",
}


def quiet(line):
    pass


def stepper_of(network, data, settings, steps=1):
    return Stepper(objective_of(network, settings, data), settings, steps=steps)


def weights(easy, build, settings, **given):
    network = build()
    fit(network, easy, settings, device=CPU, progress=quiet, **given)
    return {name: tensor.detach() for name, tensor in network.state_dict().items()}


@pytest.fixture
def architecture():
    return "cnn"


PLAIN = {}  # the weights without any option, which all are compared with


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_every_option_changes_the_weights_and_the_same_seed_gives_them_again(option, blank, easy):
    base, easy = replace(BASE, epochs=2), easy[:40]
    settings = replace(base, **option)
    before = torch.get_rng_state()
    plain = PLAIN if PLAIN else weights(easy, blank, base)
    PLAIN.update(plain)
    first, again = (weights(easy, blank, settings) for _ in range(2))
    assert any(not torch.equal(plain[name], first[name]) for name in plain)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_option_is_left_untested():
    assert {name for option in OPTIONS for name in option} | ELSEWHERE == {f.name for f in fields(Settings)}


@pytest.mark.parametrize(
    ("plain", "option"),
    [
        ({"optimiser": "momentum"}, {"momentum": 0.5}),
        ({"schedule": "step"}, {"gamma": 0.5}),
        ({"schedule": "step"}, {"milestones": 1}),
    ],
    ids=str,
)
def test_options_of_each_schedule_and_optimiser_change_the_weights(plain, option, blank, easy):
    settings = replace(BASE, **plain)
    plain, changed = weights(easy, blank, settings), weights(easy, blank, replace(settings, **option))
    assert any(not torch.equal(plain[name], changed[name]) for name in plain)


def test_names_in_the_settings_are_the_names_in_the_tables():
    def names(field):
        return set(Settings.__annotations__[field].__args__)

    assert names("optimiser") == set(optimisers.OPTIMISERS)
    assert names("schedule") == set(schedules.SCHEDULES)
    assert names("loss") == set(OBJECTIVES) >= set(losses.LOSSES)
    assert names("initialiser") == set(initialisers.INITIALISERS)
    assert names("layout") == set(stepper.LAYOUTS)
    assert set(augmentations.MIXES) == set(augment.MIXES)
    assert set(augmentations.STRENGTHS) == set(augment.AUGMENTATIONS)


@pytest.mark.parametrize("name", stepper.LAYOUTS)
def test_the_layout_is_that_of_the_weights_and_changes_no_start(name, network, easy):
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    kernel = network.blocks[0][0].weight
    before = kernel.detach().clone()
    stepper_of(network, easy, replace(BASE, layout=name))
    deep = network.blocks[1][0].weight
    assert deep.is_contiguous(memory_format=stepper.LAYOUTS[name])
    other = next(layout for key, layout in stepper.LAYOUTS.items() if key != name)
    assert not deep.is_contiguous(memory_format=other)
    assert torch.equal(before, kernel)


def test_bfloat16_is_what_layers_compute_in_while_weights_stay_float32(network, easy):
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    seen = []
    network.head.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    for precision in ("float32", "bfloat16"):
        made = stepper_of(network, easy, replace(BASE, precision=precision))
        made.step(made.objective.rows(easy))
    assert seen == [torch.float32, torch.bfloat16]
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_compiled_means_that_calls_go_through_what_torch_compiled(network, easy, monkeypatch):
    calls = []
    monkeypatch.setattr(torch, "compile", lambda module: lambda batch: calls.append(len(batch)) or module(batch))
    names = list(network.state_dict())
    fit(network, easy, replace(BASE, epochs=1), device=CPU, progress=quiet)
    assert calls == []
    fit(network, easy, replace(BASE, epochs=1, execution="compiled"), device=CPU, progress=quiet, initialise=True)
    assert calls == [20] * 9
    assert list(network.state_dict()) == names


class Normed(Network):
    """With what a compiler may get wrong: weights, buffers that forward changes, and layers that differ in training.

    As small as that can be: most of the time of a compilation is that of the C++ compiler, for each kind of layer.
    """

    def __init__(self):
        super().__init__()
        self.norm, self.last = torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2)

    def forward(self, inputs):
        return self.last(torch.relu(self.norm(inputs)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses what torch deprecates
@pytest.mark.parametrize("architecture", ["mlp"])  # whose rows are those that the network takes
def test_compiling_changes_the_time_and_not_the_weights(easy):
    eager, compiled = (
        weights(easy, Normed, replace(BASE, epochs=1, execution=execution), initialise=True)
        for execution in ("eager", "compiled")
    )
    assert not torch.equal(eager["norm.running_mean"], torch.zeros(5))
    for name, tensor in eager.items():
        torch.testing.assert_close(compiled[name], tensor, rtol=1e-3, atol=1e-3)


class Line(Network):
    """Logits w x."""

    def __init__(self, value=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((2, 1), value))

    def forward(self, inputs):
        return inputs @ self.weight.T

    def adapt(self, inputs, generator):
        with torch.no_grad():
            self.weight.copy_(torch.tensor([[1.0], [-1.0]]))


def still(**options):
    """Settings under which only the options move a weight: inputs are 0 and so is every gradient."""
    return Settings(
        **({"epochs": 1, "optimiser": "sgd", "schedule": "constant", "warmup": 0.0, "learning_rate": 0.1} | options)
    )


def learned(steps, inputs=0.0, **options):
    line = Line()
    labels = torch.tensor([0, 0, 0, 1])
    data = Dataset(torch.full((4, 1), inputs), labels, space=Space(bounds=(-200.0, 200.0)), classes=("a", "b"))
    stepper = stepper_of(line, data, still(**({"weight_decay": 0.0} | options)), steps=10)
    path = [line.weight.detach().clone()]
    for _ in range(steps):
        stepper.step(stepper.objective.rows(data))
        path.append(line.weight.detach().clone())
    return stepper, path


def test_l1_moves_each_weight_by_learning_rate_times_l1_and_stops_at_exactly_0():
    _, path = learned(5, l1=3.0)
    assert [step[0, 0].item() for step in path] == pytest.approx([1, 0.7, 0.4, 0.1, 0, 0])
    assert path[-1].tolist() == [[0], [0]]


def test_decay_is_a_factor_in_adamw_and_part_of_the_gradient_in_sgd():
    assert learned(2, optimiser="adamw", weight_decay=0.5)[1][2][0, 0] == pytest.approx(0.95**2)
    assert learned(2, optimiser="sgd", weight_decay=0.5)[1][2][0, 0] == pytest.approx(0.95**2)
    # Adam divides the penalty's gradient by its own size: the step is the rate, whatever the decay.
    assert learned(1, optimiser="adam", weight_decay=0.5)[1][1][0, 0] == pytest.approx(0.9)


def test_clipping_bounds_the_length_of_a_step():
    _, (start, free) = learned(1, inputs=100.0, clip=0.0)
    _, (_, bound) = learned(1, inputs=100.0, clip=0.5)
    assert (free - start).norm() > 1
    assert (bound - start).norm().item() == pytest.approx(0.1 * 0.5)
    torch.testing.assert_close((bound - start) / (bound - start).norm(), (free - start) / (free - start).norm())


def test_the_average_equals_its_closed_form():
    stepper, path = learned(4, inputs=1.0, ema=0.8, ema_warmup=False)
    expected = 0.8**4 * path[0] + sum(0.2 * 0.8 ** (4 - t) * path[t] for t in range(1, 5))
    torch.testing.assert_close(stepper.evaluated.weight.detach(), expected)
    assert not torch.equal(stepper.network.weight, stepper.evaluated.weight)


def test_the_decay_of_a_warmed_up_average_follows_its_formula():
    stepper, path = learned(4, inputs=1.0, ema=0.3)
    expected = path[0]
    # (1 + t) / (10 + t) is .1, .18, .25, .31, and .3 is the most.
    for weight, part in zip(path[1:], (1 / 10, 2 / 11, 3 / 12, 0.3), strict=True):
        expected = part * expected + (1 - part) * weight
    torch.testing.assert_close(stepper.evaluated.weight.detach(), expected)


@pytest.mark.parametrize("ema", [0.99, 0.999, 0.9999])
def test_an_average_of_few_steps_differs_from_the_initial_weights(ema, blank, easy):
    settings = replace(BASE, ema=ema)  # 36 steps
    plain, average, cold = (
        fit(blank(), easy, chosen, device=CPU, progress=quiet).best.loss
        for chosen in (replace(settings, ema=0.0), settings, replace(settings, ema_warmup=False))
    )
    assert average < 1.5 * plain < cold


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_six_epochs_of_motifs_are_learned_with_an_average_too():
    recipe = recipe_of("motif-gcn")
    network = build(recipe.architecture, recipe.kwargs)
    settings = replace(recipe.settings, epochs=6, ema=0.99)
    best = fit(network, zoo.data("motifs", "train"), settings, device=CPU, progress=quiet).best
    # Without a warm-up 1.55 and .39.
    assert best.loss == pytest.approx(0.13, abs=0.03)
    assert best.accuracy == pytest.approx(0.983, abs=0.015)


def test_without_an_average_the_network_itself_is_evaluated():
    stepper, _ = learned(1)
    assert stepper.evaluated is stepper.network


def test_the_average_follows_running_statistics_and_counts(network, easy):
    start(network, easy.inputs, torch.Generator().manual_seed(0))
    stepper = stepper_of(network, easy, replace(BASE, ema=0.5, ema_warmup=False), steps=3)
    norm, mean = network.blocks[0][2], stepper.average.network.blocks[0][2]
    before = norm.running_mean.clone()
    stepper.step(stepper.objective.rows(easy))
    torch.testing.assert_close(mean.running_mean, (before + norm.running_mean) / 2)
    assert mean.num_batches_tracked == 1


def test_the_kept_weights_are_the_evaluated_average(network, easy):
    trained = fit(network, easy, replace(BASE, ema=0.9), device=CPU, progress=quiet)
    _, validation = split_validation(easy, BASE.validation)
    loss = torch.nn.functional.cross_entropy(network(validation.inputs), validation.labels)
    assert loss.item() == pytest.approx(trained.best.loss, rel=1e-4)


def test_the_learning_rate_is_the_schedule_times_the_plateau_factor():
    stepper, _ = learned(0, schedule="plateau", gamma=0.5, plateau_patience=1)
    assert stepper.learning_rate == pytest.approx(0.1)
    stepper.observe(1.0)
    stepper.observe(2.0)
    assert stepper.learning_rate == pytest.approx(0.05)
    constant, _ = learned(0, schedule="constant", gamma=0.5, plateau_patience=1)
    constant.observe(1.0)
    constant.observe(2.0)
    assert constant.learning_rate == pytest.approx(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("wait", [1, 2])
def test_on_a_plateau_the_learning_rate_decays_after_its_patience(wait, network, easy, tmp_path):
    settings = replace(
        BASE,
        epochs=12,
        learning_rate=0.3,
        warmup=0.0,
        schedule="plateau",
        gamma=0.5,
        plateau_patience=wait,
        patience=99,
    )
    fit(network, easy, settings, device=CPU, progress=quiet, folder=tmp_path)
    best, waited, rate, falls = math.inf, 0, 0.3, 0
    for line in map(json.loads, (tmp_path / metrics.METRICS).read_text().splitlines()):
        waited = 0 if line["validation_loss"] < best else waited + 1
        best = min(best, line["validation_loss"])
        if waited == wait:
            waited, rate, falls = 0, rate / 2, falls + 1
        assert line["next_learning_rate"] == pytest.approx(rate)
    assert falls


@pytest.mark.parametrize("loss", ["cross-entropy", "mse", "bce"])
@pytest.mark.parametrize("more", [{}, {"mixup": 0.4}, {"precision": "bfloat16"}], ids=str)
def test_class_weights_may_be_whole_numbers(loss, more, blank, easy):
    whole, decimal = (
        weights(easy, blank, replace(BASE, epochs=1, loss=loss, class_weights=given, **more))
        for given in ((3, 1), (3.0, 1.0))
    )
    assert all(torch.equal(whole[name], decimal[name]) for name in whole)


def test_class_weights_need_one_number_a_class(network, easy):
    with pytest.raises(DataError, match="class_weights has 3 numbers, the data has 2 classes"):
        fit(network, easy, replace(BASE, class_weights=(1.0, 1.0, 1.0)), device=CPU, progress=quiet)


def test_metrics_are_one_json_line_an_epoch_there_when_the_epoch_is_over(network, easy, tmp_path):
    (tmp_path / metrics.METRICS).write_text("of a run that was forgotten\n")
    counts = []

    def count(line):
        if line.startswith("epoch"):
            counts.append(len((tmp_path / metrics.METRICS).read_text().splitlines()))

    trained = fit(network, easy, BASE, device=CPU, progress=count, folder=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / metrics.METRICS).read_text().splitlines()]
    assert counts == [line["epoch"] for line in lines] == [1, 2, 3, 4]
    best = lines[trained.best.number - 1]
    assert (best["validation_loss"], best["validation_accuracy"]) == (trained.best.loss, trained.best.accuracy)
    assert all(math.isfinite(value) for line in lines for value in line.values())
    assert lines[-1]["next_learning_rate"] == pytest.approx(0)


def test_a_folder_for_metrics_that_cannot_be_written_is_named(network, easy, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*file"):
        fit(network, easy, BASE, device=CPU, progress=quiet, folder=tmp_path / "file")


def broken_after(epochs):
    """A line whose inputs turn into numbers that are none in the epoch after."""

    class Broken(Line):
        calls = 0

        def forward(self, inputs):
            self.calls += self.training
            return super().forward(inputs) * (math.nan if self.calls > 9 * epochs else 1)

    labels = torch.randint(2, (200,), generator=torch.Generator().manual_seed(0))
    return Broken(), Dataset(inputs=labels[:, None].float(), labels=labels, classes=("a", "b"), name="line")


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_nan_loss_leaves_the_last_good_weights(epochs, tmp_path):
    network, data = broken_after(epochs)
    good, _ = broken_after(99)
    settings = replace(BASE, optimiser="sgd", schedule="constant", warmup=0.0, patience=1)
    with pytest.raises(ProbeError, match=rf"the loss is nan in epoch {epochs + 1}, step 1"):
        fit(network, data, settings, device=CPU, progress=quiet, folder=tmp_path, initialise=True)
    if epochs:
        fit(good, data, replace(settings, epochs=epochs), device=CPU, progress=quiet, initialise=True)
    else:
        good.adapt(data.inputs, None)
    assert torch.equal(network.weight, good.weight)
    assert not network.training
    assert len((tmp_path / metrics.METRICS).read_text().splitlines()) == epochs


def test_a_nan_validation_loss_ends_training_too():
    class Blind(Line):
        def forward(self, inputs):
            return super().forward(inputs) * (1 if self.training else math.nan)

    network, (_, data) = Blind(), broken_after(9)
    with pytest.raises(
        ProbeError, match=r"the loss is nan on the validation rows after epoch 1, step 9 in total; lower"
    ):
        fit(network, data, BASE, device=CPU, progress=quiet, initialise=True)
    assert network.weight.tolist() == [[1], [-1]]


def test_a_nan_training_loss_ends_training_too():
    class Narrow(Line):
        passes = 0

        def forward(self, inputs):
            # In eval mode two passes come before training; the next one judges the training rows.
            self.passes += not self.training
            return super().forward(inputs) * (math.nan if self.passes == 3 and not self.training else 1)

    network, (_, data) = Narrow(), broken_after(9)
    with pytest.raises(ProbeError, match=r"the loss is nan on the training rows after epoch 1, step 9 in total; lower"):
        fit(network, data, BASE, device=CPU, progress=quiet, initialise=True)


def test_patience_counts_epochs_from_the_best(network, easy):
    settings = replace(BASE, epochs=40, learning_rate=0.3, schedule="constant")
    for patience in (1, 4):
        trained = fit(network, easy, replace(settings, patience=patience), device=CPU, progress=quiet, initialise=True)
        assert trained.epochs == trained.best.number + patience < 40


def test_the_network_learns_from_what_augmentation_and_mixup_made(easy, network, monkeypatch):
    batches, forward = [], Classification.forward

    def watched(self, batch):
        batches.append((batch.inputs, batch.targets))
        return forward(self, batch)

    monkeypatch.setattr(Classification, "forward", watched)
    for options in ({}, {"augment": {"cutout": 7}}, {"mixup": 1.0}):
        fit(network, easy, replace(BASE, epochs=1, **options), device=CPU, progress=quiet, initialise=True)
    plain, holed, mixed = batches[:9], batches[9:18], batches[18:]
    rows = {tuple(row.flatten().tolist()) for row in easy.inputs}
    assert all(tuple(row.flatten().tolist()) in rows for inputs, _ in plain for row in inputs)
    assert all(((inputs == 0).flatten(1).sum(1) >= 49).all() for inputs, _ in holed)
    assert all(targets.shape == (20, 2) and bool(((targets > 0) & (targets < 1)).any()) for _, targets in mixed)
    # A row may be mixed with itself.
    assert sum(tuple(row.flatten().tolist()) in rows for row in mixed[0][0]) < 10


def test_augmentations_of_images_refuse_other_inputs():
    line, data = broken_after(9)
    with pytest.raises(ShapeError, match=r"inputs are shaped \(20, 1\), expected images"):
        fit(line, data, replace(BASE, augment={"shift": 1}), device=CPU, progress=quiet, initialise=True)


TOML = """
epochs = 3
optimiser = "nesterov"
class_weights = [1, 2.5]
augment = {flip = 0.5, shift = 2}
"""


def test_settings_are_read_from_toml(tmp_path):
    (tmp_path / "run.toml").write_text(TOML)
    expected = Settings(epochs=3, optimiser="nesterov", class_weights=(1, 2.5), augment={"flip": 0.5, "shift": 2})
    assert Settings.from_toml(tmp_path / "run.toml") == expected
    assert Settings.from_toml({"epochs": 3}) == Settings(epochs=3)


def test_none_in_toml_means_no_value():
    adversary = Adversary(method="pgd", eps=0.1)
    settings = Settings(epochs=3, class_weights=(1, 2.5), adversary=adversary)
    assert settings.changed({"adversary": "none"}) == replace(settings, adversary=None)
    assert settings.changed({"class_weights": "none"}) == replace(settings, class_weights=None)
    with pytest.raises(PlanError, match="learning_rate = 'none', expected a number"):
        settings.changed({"learning_rate": "none"})


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"epoch": 3}, PlanError, r"Settings has no setting 'epoch' \(did you mean 'epochs'\?\)"),
        ({}, PlanError, "Settings lacks 'epochs'"),
        ({"optimiser": "adm"}, PlanError, r"optimiser = 'adm', expected one of sgd, .* \(did you mean 'adam'\?\)"),
        ({"optimiser": 3}, PlanError, "optimiser = 3, expected one of sgd"),
        ({"epochs": 1.5}, PlanError, "epochs = 1.5, expected a whole number"),
        ({"epochs": True}, PlanError, "epochs = True, expected a whole number"),
        ({"learning_rate": "fast"}, PlanError, "learning_rate = 'fast', expected a number"),
        ({"class_weights": 2}, PlanError, "class_weights = 2, expected a list of numbers"),
        ({"augment": ["flip"]}, PlanError, "expected a name or a table of numbers"),
        ({"augment": "flipp"}, PlanError, "augment is 'flipp'; there are none, flip and shift"),
        ({"augment": {"cutot": 2}}, PlanError, "augment has 'cutot', did you mean 'cutout'"),
        ({"augment": {"flip": 2}}, RangeError, "flip takes a chance from 0 to 1; got 2"),
        ({"augment": {"shift": 0.5}}, RangeError, "shift takes a whole number of pixels; got 0.5"),
        ({"learning_rate": math.nan}, RangeError, "learning_rate = nan, expected a number"),
        ({"loss": "game", "execution": "compiled"}, PlanError, "leave execution eager"),
        ({"ema": 1.0}, RangeError, "ema = 1.0, expected a number of at least 0.* and below 1"),
        ({"l1": -1.0}, RangeError, "l1 = -1.0, expected a number of at least 0"),
        ({"class_weights": [1, -1]}, RangeError, "class_weights holds -1, expected numbers above 0"),
        ({"ema_warmup": 1}, PlanError, "ema_warmup = 1, expected true or false"),
        ("no.toml", PlanError, "cannot read the settings no.toml"),
    ],
    ids=str,
)
def test_invalid_training_settings_are_refused_in_a_sentence(table, error, message):
    if isinstance(table, dict) and message != "Settings lacks 'epochs'":
        table = {"epochs": 1} | table
    with pytest.raises(error, match=message):
        Settings.from_toml(table)


def test_a_file_that_is_not_toml_is_named(tmp_path):
    (tmp_path / "run.toml").write_text("epochs 3")
    with pytest.raises(PlanError, match=r"run.toml is not TOML"):
        Settings.from_toml(tmp_path / "run.toml")


WRONG = [
    None,
    "3",
    2.5,
    True,
    math.nan,
    -1,
    0,
    [],
    ["a"],
    (1, "b"),
    {"a": "b"},
    {1: 2},
    object(),
    torch.ones(2),
    b"x",
    1j,
]


@pytest.mark.parametrize("kind", [Settings, Adversary, Balance])
def test_a_value_of_any_type_is_kept_as_the_type_of_its_field_or_refused_in_a_sentence(kind):
    good = {
        Settings: {"epochs": 1},
        Adversary: {"method": "pgd", "eps": 0.1},
        Balance: {"method": "reweight", "groups": ("a",)},
    }[kind]
    for field in fields(kind):
        for wrong in WRONG:
            try:
                kept = getattr(kind(**good | {field.name: wrong}), field.name)
            except ProbeError as error:
                assert str(error).startswith(f"{kind.__name__}.{field.name}")  # noqa: PT017  # or it is kept
            else:
                assert kept == (tuple(wrong) if isinstance(wrong, list) else wrong)
                assert type(kept) is type(getattr(kind(**good), field.name)) or kept is None or field.default is None


@pytest.mark.parametrize(
    "wrong", [{"epochs": "3"}, {"epochs": 2.5}, {"batch_size": 33.5}, {"patience": 1.5}, {"plateau_patience": 0.5}]
)
def test_counts_are_whole_numbers(wrong):
    (name,) = wrong
    with pytest.raises(PlanError, match=rf"Settings.{name} = .*, expected a (whole )?number"):
        Settings(**{"epochs": 1} | wrong)


def test_numbers_of_numpy_are_numbers():
    settings = Settings(epochs=np.int64(3), learning_rate=np.float32(0.5), class_weights=[np.int64(3), 1])
    assert (settings.epochs, settings.learning_rate, settings.class_weights) == (3, 0.5, (3.0, 1.0))
    assert json.loads(json.dumps(asdict(settings)))["epochs"] == 3
