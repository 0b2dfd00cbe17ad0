"""Models that probe asks for: a Trainer, what it must honour, and what is asked of the models."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from probe import Dataset, Explainer, Model, Space, Trainer, study, zoo
from probe.contracts import trained
from probe.errors import ContractError
from probe.explainers import InputXGradient

SOURCE = torch.Generator().manual_seed(0)
INPUTS = torch.randn(400, 6, generator=SOURCE)
DATA = Dataset(INPUTS, (INPUTS[:, 0] > 0).long(), space=Space(bounds=(-9.0, 9.0), reference=torch.zeros(1, 6)))


def least_squares(data: Dataset, seed: int = 0) -> Model:
    """The linear model that is nearest to labels of -1 and 1."""
    weight = torch.linalg.lstsq(data.inputs, 2.0 * data.labels[:, None] - 1).solution[:, 0]
    return Model(forward=lambda x: torch.stack([-x @ weight, x @ weight], 1), space=data.space)


@dataclass(frozen=True, kw_only=True)
class Contrast(Explainer):
    """The inputs themselves, whatever the model."""

    def attribute(self, model: Model, inputs: Tensor, targets: Tensor) -> Tensor:
        return inputs


def test_explanations_that_ignore_the_model_survive_permuted_labels_and_others_do_not():
    rows = DATA[:40]
    assert study.permuted_labels(Contrast(), least_squares, DATA, rows).tolist() == pytest.approx([1.0] * 40)
    learned = study.permuted_labels(InputXGradient(), least_squares, DATA, rows)
    assert learned.shape == (40,)
    assert learned.abs().max() <= 1 + 1e-9
    assert float(learned.mean()) < 0.8
    again = study.permuted_labels(InputXGradient(), least_squares, DATA, rows)
    assert torch.equal(learned, again)


def test_a_trained_model_has_its_training_rows():
    model = trained(least_squares, DATA)
    assert torch.equal(model.training[0], DATA.inputs)
    assert isinstance(least_squares, Trainer)


def test_a_trainer_that_breaks_its_promises_is_refused():
    def forgets(data: Dataset, seed: int = 0):
        return nn.Linear(6, 2)

    def spoils(data: Dataset, seed: int = 0) -> Model:
        data.inputs[0, 0] += 1
        return least_squares(data)

    with pytest.raises(ContractError, match=r"forgets returned a Linear, expected a probe\.Model"):
        trained(forgets, DATA)
    with pytest.raises(ContractError, match="spoils changed the rows that it was given"):
        trained(spoils, replace(DATA, inputs=INPUTS.clone()))


def test_a_trainer_of_the_zoo_gives_the_same_model_for_the_same_rows_and_seed():
    trainer = zoo.trainer("german-mlp", settings=zoo_settings())
    data = zoo.data("german", split="train")[:120]
    one, same, other = (trained(trainer, data, seed) for seed in (0, 0, 1))
    assert one.digest() == same.digest() != other.digest()
    assert one.classes == data.classes
    assert len(one.predict(data.inputs[:5])) == 5
    assert one.name == f"german-mlp on {data.name}"


def zoo_settings():
    from probe_models.training.settings import Settings

    return Settings(epochs=1, batch_size=40)
