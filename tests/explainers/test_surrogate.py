import numpy as np
import pytest
import torch
from torch.testing import assert_close

from probe import Model, Space
from probe.errors import RangeError
from probe.explainers import Lime
from probe.explainers.coalitions import coalition_values
from probe.explainers.surrogate import kernel_weights, lime_masks, ridge_slopes
from probe.features import squares

X = torch.tensor([[20.0, 50.0, 30.0]], dtype=torch.float64)
FIRST = torch.tensor([0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kernel_width": 1e6, "ridge": 0.0}, [77.5, 197.5, 117.5]),  # the Banzhaf values
        ({"ridge": 0.0}, [79.996, 199.996, 119.996]),
        ({}, [78.562, 197.613, 118.246]),
    ],
)
def test_lime_over_all_coalitions_has_the_known_values_of_captums_network(multilayer, settings, expected):
    found = Lime(**settings)(multilayer, X, FIRST).values
    assert_close(found, X.new_tensor([expected]), rtol=0, atol=6e-4)


def test_lime_over_all_coalitions_is_the_limit_of_sampling(multilayer):
    masks = torch.rand(200_000, 3, generator=torch.Generator().manual_seed(0)) < 0.5
    values = coalition_values(multilayer, X, FIRST, masks, "logit")
    every = torch.ones(1, 3, dtype=torch.bool)
    drawn = ridge_slopes(masks, kernel_weights(masks, every, 0.25), values, 1.0, every)
    assert_close(Lime(samples=200_000)(multilayer, X, FIRST).values, drawn, rtol=2e-3, atol=0)


def test_lime_recovers_the_contributions_of_a_linear_model(linear, inputs, labels):
    contribution = torch.stack([linear.logits(torch.eye(12).view(12, 3, 2, 2)).T[t] for t in labels]) * inputs.flatten(
        1
    )
    found = Lime(samples=200, ridge=0.0)(linear, inputs, labels).values
    assert_close(found.flatten(1), contribution, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("samples", [1000, 100])
def test_lime_base_agrees_on_the_same_coalitions(network, rows, samples):
    lime_base = pytest.importorskip("lime.lime_base")
    model, x, targets = network(), rows(3, 8), torch.tensor([0, 1, 2])
    masks = lime_masks(8, samples, 0)
    masks = torch.cat([torch.ones(1, 8, dtype=torch.bool), masks])  # `lime` reads the input's own answer in row 0
    values = coalition_values(model, x, targets, masks, "logit")
    every = torch.ones(3, 8, dtype=torch.bool)
    ours = ridge_slopes(masks, kernel_weights(masks, every, 0.25), values, 1.0, every)
    data = masks.double().numpy()
    distance = 1 - np.sqrt(data.mean(1))
    theirs = lime_base.LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 0.25**2)))
    for row in range(3):
        labels = values[row][:, None].numpy()
        slopes = theirs.explain_instance_with_data(data, labels, distance, 0, 8, "none")[1]
        expected = [slope for _, slope in sorted(slopes)]
        np.testing.assert_allclose(ours[row].numpy(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_lime_image_agrees_within_sampling_error():
    lime_image = pytest.importorskip("lime.lime_image")
    source = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 8, 8, generator=source, dtype=torch.float64)
    weight = torch.randn(192, 2, generator=source, dtype=torch.float64) / 4
    segments = squares(8, 8, 2)
    space = Space(features=segments.expand(3, 8, 8), reference=torch.zeros(1, 3, 8, 8, dtype=torch.float64))
    model = Model(forward=lambda x: torch.tanh(x.flatten(1) @ weight), space=space)

    def probabilities(batch):
        return model.logits(torch.as_tensor(np.asarray(batch)).permute(0, 3, 1, 2)).softmax(-1).numpy()

    explanation = lime_image.LimeImageExplainer(random_state=0).explain_instance(
        image[0].permute(1, 2, 0).numpy(), probabilities, labels=(0,), top_labels=None, hide_color=0,
        num_samples=4000, segmentation_fn=lambda _: segments.numpy(),
    )  # fmt: skip
    theirs = np.array([slope for _, slope in sorted(explanation.local_exp[0])])
    attribution = Lime(samples=4000, output="probability")(model, image, FIRST)
    gap = np.abs(attribution.by_feature()[0].numpy() - theirs).max()
    assert gap < 0.05 * np.abs(theirs).max()


def test_kernel_weights_follow_the_cosine_distance():
    masks = torch.tensor([[True, True, True, True], [True, False, False, False], [False, False, False, False]])
    expected = torch.tensor([1.0, np.exp(-(0.5**2) / (2 * 0.25**2)), np.exp(-1 / (2 * 0.25**2))], dtype=torch.float64)
    every, half = torch.ones(1, 4, dtype=torch.bool), torch.tensor([[True, True, False, False]])
    assert_close(kernel_weights(masks, every, 0.25), expected[None])
    # Among the first two features half of the second coalition is there.
    expected[1] = np.exp(-((1 - 0.5**0.5) ** 2) / (2 * 0.25**2))
    assert_close(kernel_weights(masks, half, 0.25), expected[None])


def test_features_that_equal_the_reference_do_not_change_other_values(network, rows):
    """An input with absent features is explained as one that never had them."""
    model, x = network(6, references=1), rows(3, 6)
    x[:, 4:] = model.space.reference[0, 4:]

    def shorter(present):
        return model.forward(torch.cat([present, model.space.reference[:, 4:].expand(len(present), -1)], 1))

    space = Space(bounds=(-9.0, 9.0), reference=model.space.reference[:, :4])
    method = Lime(samples=64, ridge=0.0)  # every coalition, of six features and of four
    targets = torch.tensor([0, 1, 2])
    found = method(model, x, targets).values
    alone = method(Model(forward=shorter, space=space), x[:, :4], targets).values
    assert_close(found[:, :4], alone, rtol=1e-9, atol=1e-9)
    assert (found[:, 4:] == 0).all()


def test_a_sample_begins_with_the_input_itself():
    masks = lime_masks(20, 50, 0)
    assert masks.shape == (50, 20)
    assert masks[0].all()
    assert 0.4 < masks[1:].double().mean() < 0.6


def test_without_ridge_too_few_samples_are_refused(linear, inputs):
    with pytest.raises(RangeError, match="raise Lime"):
        Lime(samples=8, ridge=0.0)(linear, inputs)
