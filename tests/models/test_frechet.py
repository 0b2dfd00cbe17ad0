import numpy as np
import pytest
import torch
from probe_models.datasets import fashion
from probe_models.frechet import frechet
from probe_models.zoo.measures.frechet import features
from scipy.linalg import sqrtm

from probe import zoo


def cloud(mean, covariance, count=200, seed=0):
    """Points whose mean and covariance are exactly these."""
    points = torch.randn(count, len(mean), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    white = torch.linalg.solve_triangular(
        torch.linalg.cholesky(points.T.cov()), (points - points.mean(0)).T, upper=False
    )
    return (torch.linalg.cholesky(covariance) @ white).T + mean


@pytest.fixture
def moments():
    """Two means and two covariances that do not commute."""
    random = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 5, 5, generator=random, dtype=torch.float64)
    means = torch.randn(2, 5, generator=random, dtype=torch.float64)
    return means[0], a @ a.T + torch.eye(5), means[1], b @ b.T + torch.eye(5)


def test_the_distance_of_a_shift_is_its_squared_length():
    mean, covariance = torch.zeros(3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    moved = cloud(mean + torch.tensor([1.0, 2.0, -2.0]), covariance, seed=1)
    assert frechet(cloud(mean, covariance), moved) == pytest.approx(9)


def test_the_distance_of_diagonal_covariances_is_that_of_their_deviations():
    mean, deviations = torch.zeros(2, dtype=torch.float64), torch.tensor([[1.0, 3.0], [2.0, 0.5]], dtype=torch.float64)
    one, other = (cloud(mean, row.square().diag(), seed=i) for i, row in enumerate(deviations))
    assert frechet(one, other) == pytest.approx(1 + 2.5**2)


def test_the_distance_agrees_with_the_root_of_the_product_of_covariances(moments):
    mean, covariance, other_mean, other_covariance = moments
    root = sqrtm((covariance @ other_covariance).numpy()).real
    expected = (mean - other_mean).square().sum() + (covariance + other_covariance).trace() - 2 * np.trace(root)
    found = frechet(cloud(mean, covariance), cloud(other_mean, other_covariance, seed=1))
    assert found == pytest.approx(float(expected))
    assert frechet(cloud(other_mean, other_covariance), cloud(mean, covariance, seed=1)) == pytest.approx(found)


def test_equal_moments_have_no_distance_even_where_a_covariance_has_no_inverse(moments):
    mean, covariance = moments[:2]
    flat = torch.cat((cloud(mean, covariance), torch.ones(200, 3)), 1)
    again = torch.cat((cloud(mean, covariance, seed=1), torch.ones(200, 3)), 1)
    assert frechet(flat, again) == pytest.approx(0, abs=1e-6)


def test_fewer_points_of_the_same_law_seem_further_apart():
    points = torch.randn(4000, 20, generator=torch.Generator().manual_seed(0))
    few, many = frechet(points[:200], points[200:400]), frechet(points[:2000], points[2000:])
    assert 0 < many < few / 5


def test_features_are_what_the_last_layer_of_lenet_sees():
    images, lenet = fashion.read("test").inputs[:10], zoo.load("fashion-lenet")
    assert features(images).shape == (10, 84)
    torch.testing.assert_close(lenet.forward.head[-1](features(images)), lenet.logits(images))
