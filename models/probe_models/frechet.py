"""The distance between two clouds of points."""

from torch import Tensor, linalg


def frechet(one: Tensor, other: Tensor) -> float:
    """The squared Frechet distance of the normal distributions with the clouds' means m and covariances C.

    It is |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson and Landau 1982, doi:10.1016/0047-259X(82)90077-X), in
    the squared unit of the points; 0 for equal moments, lower is closer. From n points it is biased upwards, the more
    the fewer there are: compare distances of clouds of the same size only.

    Args:
        one: points (n, coordinates).
        other: points (m, coordinates).
    """
    one, other = one.double(), other.double()
    first, second = one.T.cov(), other.T.cov()
    values, vectors = linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    # C1 C2 has the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2): they are real, and rounding is cut at 0.
    shared = linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    between = (one.mean(0) - other.mean(0)).square().sum()
    return float(between + first.trace() + second.trace() - 2 * shared)
