"""Fits recover known transforms; transforms compose and invert."""

import numpy as np
import pytest

from stabilizers.similarity import (
    apply,
    compose,
    fit_affine,
    fit_similarity,
    invert,
    roll_of,
    scale_of,
    similarity,
)

RNG = np.random.default_rng(1)
TURNED = similarity(
    np.array([1.3]), np.radians([20.0]), np.array([4.0, 5.0]), np.array([[9.0, -2.0]])
)[0]


def test_a_similarity_is_recovered_from_its_points():
    points = RNG.normal(size=(12, 2)) * 40
    assert np.allclose(fit_similarity(points, apply(TURNED, points)), TURNED)


def test_a_mirrored_face_is_never_fitted_by_a_reflection():
    points = RNG.normal(size=(12, 2)) * 40
    fitted = fit_similarity(points, points * [-1, 1])
    assert np.linalg.det(fitted[:, :2]) > 0


def test_a_rotation_in_space_is_recovered():
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    points = RNG.normal(size=(9, 3))
    fitted = fit_similarity(points, 2 * points @ turn.T + [1, 2, 3])
    assert np.allclose(fitted, np.column_stack([2 * turn, [1, 2, 3]]))


def test_a_given_scale_is_kept():
    points = RNG.normal(size=(12, 2)) * 40
    fitted = fit_similarity(points, apply(TURNED, points), scale=1.0)
    assert scale_of(fitted) == pytest.approx(1)
    assert roll_of(fitted) == pytest.approx(np.radians(20))


def test_an_affine_transform_is_recovered_from_its_points():
    expected = np.array([[1.1, 0.2, 3.0], [-0.1, 0.8, -4.0]])
    points = RNG.normal(size=(8, 2)) * 40
    assert np.allclose(fit_affine(points, apply(expected, points)), expected)


def test_a_similarity_is_rebuilt_from_its_parts():
    position = apply(TURNED, np.array([[4.0, 5.0]]))
    scale, roll = scale_of(TURNED[None]), roll_of(TURNED[None])
    assert np.allclose(similarity(scale, roll, np.array([4.0, 5.0]), position)[0], TURNED)


def test_a_transform_and_its_inverse_cancel():
    points = RNG.normal(size=(3, 7, 2))
    stack = np.stack([TURNED, invert(TURNED), compose(TURNED, TURNED)])
    assert np.allclose(apply(compose(invert(stack), stack), points), points)
