"""The trees of a fitted IsolationForest as the arrays of its stage (`scorer.model.forms.forest`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.model.forms.form import AnyArray

    Array = NDArray[np.float64]


def forest_arrays(forest: Any) -> dict[str, AnyArray]:
    """All trees one after the other, nodes from the roots downwards, siblings beside each other."""
    trees, roots, start = [], [], 0
    for estimator, features in zip(forest.estimators_, forest.estimators_features_, strict=True):
        tree = _tree(estimator.tree_, features)
        tree["left"] += start
        roots.append(start)
        start += len(tree["left"])
        trees.append(tree)
    joined: dict[str, AnyArray] = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
    usual = average_path_length(np.array([int(forest.max_samples_)]))
    return joined | {
        "roots": np.array(roots, np.int32),
        "denominator": len(trees) * usual,
        "offset": np.array([forest.offset_], float),
    }


def _tree(tree: Any, features: AnyArray) -> dict[str, AnyArray]:
    order, left, depths = _downwards(tree.children_left, tree.children_right)
    leaf = tree.children_left[order] < 0
    # scikit-learn's depths begin at 1; and its operations, in its order.
    paths = depths + average_path_length(tree.n_node_samples[order]) - 1.0
    return {
        "feature": np.where(leaf, 0, features[np.where(leaf, 0, tree.feature[order])]).astype(np.int32),
        "threshold": np.where(leaf, 0.0, tree.threshold[order]),
        "left": left,
        "path": np.where(leaf, paths, 0.0),
    }


def _downwards(children_left: AnyArray, children_right: AnyArray) -> tuple[AnyArray, AnyArray, Array]:
    """Nodes level by level; for each the place of its left child, or its own; and its depth, from 1."""
    level, levels, lefts, depths, known = np.array([0]), [], [], [], 1
    while len(level):
        inner = children_left[level] >= 0
        places = known - len(level) + np.arange(len(level))
        places[inner] = known + 2 * np.arange(inner.sum())
        levels.append(level)
        lefts.append(places)
        depths.append(np.full(len(level), len(levels), float))
        level = np.stack([children_left[level[inner]], children_right[level[inner]]], axis=1).ravel()
        known += len(level)
    return np.concatenate(levels), np.concatenate(lefts).astype(np.int32), np.concatenate(depths)


def average_path_length(rows: AnyArray) -> Array:
    """The average path length of an isolation tree of so many rows each.

    Liu, Ting and Zhou, Isolation Forest (ICDM 2008), equation 1, with scikit-learn's operations in its order.
    """
    found = np.where(rows == 2, 1.0, 0.0)
    many = rows > 2
    counts = rows[many].astype(float)
    found[many] = 2.0 * (np.log(counts - 1.0) + np.euler_gamma) - 2.0 * (counts - 1.0) / counts
    return found
