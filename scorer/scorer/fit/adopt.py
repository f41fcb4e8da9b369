"""A pickled estimator becomes a model file: loaded here, never in a pod, and proved on the sensor's readings.

What is registered is the compiled form. What has none becomes a model of the scikit-learn runtime.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorer.errors import InputError
from scorer.fit.build import Given, accepts_missing, build, build_for_plugin, enough, made_here
from scorer.fit.export import ExportError
from scorer.fit.pickled import unpacked, written
from scorer.fit.pickles import load

if TYPE_CHECKING:
    from scorer.fit.built import Built
    from scorer.fit.settings import Incoming
    from scorer.readings import Reader
    from scorer.sources import Found
    from scorer.window import Window


def adopted(
    data: bytes, item: Incoming, reader: Reader, found: Found, window: Window, named: tuple[str, ...] | None
) -> Built:
    """The model of these bytes, whose digest was checked. `named` are its features, if it does not know them.

    Raises SensorError, InputError and StorageError.
    """
    fitted = load(data, item.path.name)
    features = _features(fitted, named, item.path)
    missing = accepts_missing(fitted, features)
    readings = enough(reader, item.sensor, found, features, window, accepts_missing=missing)
    said = written(unpacked(data, item.path.name)).sklearn
    by = made_here() | ({"sklearn": said} if said else {})
    given = Given(fitted, item.sensor, window, readings, features, _trained_elsewhere(fitted, data), by)
    try:
        return build(given)
    except ExportError as error:
        return build_for_plugin(given, str(error).partition(";")[0].partition(": wanted")[0])


def _features(fitted: Any, named: tuple[str, ...] | None, path: Path) -> tuple[str, ...]:
    """The estimator's own, or those named, in the order of its inputs. Raises InputError."""
    count = getattr(fitted, "n_features_in_", None)
    if not isinstance(count, int):
        raise InputError(f"{path} has an estimator that does not say how many features it has")
    own = tuple(str(name) for name in getattr(fitted, "feature_names_in_", ()))
    features = named or own or (("value",) if count == 1 else ())
    if len(features) != count:
        raise InputError(
            f"{path} has an estimator of {count} features, found are {len(features)} names: name them with "
            "--features"
        )
    if named and own and named != own:
        raise InputError(f"{path} was fitted to {', '.join(own)}: --features says {', '.join(named)}")
    return features


def _trained_elsewhere(fitted: Any, data: bytes) -> dict[str, Any]:
    """What an estimator says of its own training, beside the facts of the readings that prove it."""
    last = fitted[-1] if hasattr(fitted, "steps") else fitted
    known = last.get_params(deep=False)
    settings = {
        name: value
        for name in ("kernel", "gamma", "nu", "contamination", "n_neighbors", "n_estimators")
        if isinstance(value := known.get(name), str | int | float) and not isinstance(value, bool)
    }
    more: dict[str, Any] = {
        "settings": {"estimator": type(last).__name__, **settings},
        "pickle": hashlib.sha256(data).hexdigest(),
    }
    dual = getattr(last, "dual_coef_", None)
    if dual is not None and isinstance(nu := settings.get("nu"), float) and nu > 0:
        # libsvm's coefficients add up to nu * rows (Chang and Lin, 2011, ACM TIST 2:27, section 2.3).
        more["trainedRows"] = round(float(dual.sum()) / nu)
    return more
