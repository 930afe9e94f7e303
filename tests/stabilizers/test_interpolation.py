"""Thin-plate splines through scattered nodes."""

import numpy as np

from stabilizers.interpolation import thin_plate_matrix


def test_a_thin_plate_spline_passes_through_its_nodes_and_reproduces_linear_fields() -> None:
    nodes = np.random.default_rng(1).uniform(0, 100, (30, 2))
    matrix = thin_plate_matrix(nodes, nodes, 0.0)
    values = np.sin(nodes / 20)
    assert np.allclose(matrix @ values, values, atol=1e-3)
    points = np.random.default_rng(2).uniform(0, 100, (50, 2))
    slope = np.array([[0.2, -0.1], [0.05, 0.3]])
    straight = thin_plate_matrix(nodes, points, 0.1) @ (nodes @ slope)
    assert np.allclose(straight, points @ slope, atol=1e-2)
