"""What compiles, what is refused, and the proof."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import KernelPCA
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import SGDOneClassSVM
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from estimators import compiled, rows_of
from scorer.fit.export import TOLERANCE, ExportError, export, prove
from scorer.model.file import write_model

HOLED = np.array([[1.0, np.nan], [2.0, np.nan], [4.0, np.nan], [3.0, np.nan]])


@pytest.mark.parametrize(
    ("pipeline", "names"),
    [
        (
            LocalOutlierFactor(novelty=True),
            "step LocalOutlierFactor: LocalOutlierFactor has no compiled form",
        ),
        (make_pipeline(KernelPCA(2), OneClassSVM()), "step kernelpca: KernelPCA has no compiled form"),
        (
            make_pipeline(make_pipeline(KernelPCA(2)), OneClassSVM()),
            "step pipeline.kernelpca: KernelPCA has no",
        ),
        (OneClassSVM(kernel=lambda a, b: a @ b.T), "OneClassSVM with kernel .* has no compiled form"),
        (OneClassSVM(kernel="poly", degree=0), "degree 0: wanted 1 or more"),
        (OneClassSVM(gamma=0.0), "gamma 0: wanted a number above 0"),
        (
            make_pipeline(SimpleImputer(add_indicator=True), SGDOneClassSVM()),
            "add_indicator=True has no compiled form: wanted False",
        ),
        (
            make_pipeline(SimpleImputer(missing_values=-1), SGDOneClassSVM()),
            "takes -1 for missing: wanted NaN",
        ),
        (Nystroem("poly", n_components=5), "Nystroem with kernel 'poly' has no compiled form"),
        (IsolationForest(n_estimators=3, max_samples=1), "fitted on a single row"),
    ],
)
def test_what_has_no_form_is_named_and_where_it_can_go(pipeline: Any, names: str) -> None:
    with pytest.raises(ExportError, match=names) as refusal:
        export(pipeline.fit(rows_of(2, 50)))
    assert "can be registered for the scikit-learn runtime" in str(refusal.value)


def test_an_approximation_that_magnifies_roundoff_is_refused() -> None:
    approximation = Nystroem(n_components=5, random_state=0).fit(rows_of(2, 50))
    approximation.normalization_ = approximation.normalization_ * 1e7
    with pytest.raises(
        ExportError, match=r"normalization is as large as .* of roundoff: wanted less than 1e-09"
    ):
        export(approximation)


def test_an_imputer_that_drops_a_column_is_refused() -> None:
    imputer = SimpleImputer().fit(HOLED)
    with pytest.raises(ExportError, match="drops column 1, which had no value"):
        export(imputer)
    assert export(SimpleImputer(keep_empty_features=True).fit(HOLED))[0][0] == "simple_imputer"


def test_an_estimator_that_decides_nothing_is_refused() -> None:
    svm = SGDOneClassSVM().fit(rows_of(2, 50))
    svm.coef_, svm.offset_ = np.zeros((1, 2)), np.zeros(1)
    with pytest.raises(ExportError, match="decides the same of every row"):
        export(svm)
    envelope = EllipticEnvelope(random_state=0).fit(rows_of(2, 50))
    envelope.offset_ = 0.0
    with pytest.raises(ExportError, match="all its training rows were equal"):
        export(envelope)


@pytest.mark.parametrize(
    ("approximation", "form"),
    [
        (Nystroem(n_components=5, random_state=0), "nystroem_sgd_one_class_svm"),
        (RBFSampler(n_components=5, random_state=0), "rbf_sampler_sgd_one_class_svm"),
    ],
)
def test_a_kernel_approximation_and_its_plane_are_one_stage(approximation: Any, form: str) -> None:
    rows = rows_of(2, 60)
    pipeline = make_pipeline(StandardScaler(), approximation, SGDOneClassSVM(random_state=0)).fit(rows)
    assert [name for name, _ in export(pipeline)] == ["standard_scaler", form]


def test_the_same_fit_has_the_same_bytes() -> None:
    def data() -> bytes:
        forest = IsolationForest(n_estimators=5, random_state=0).fit(rows_of(2, 60))
        return write_model(export(forest), ["a", "b"], {})

    assert data() == data()


def test_a_proof_counts_rows_and_the_largest_difference() -> None:
    rows = rows_of(2, 60)
    pipeline = make_pipeline(StandardScaler(), OneClassSVM(nu=0.1)).fit(rows)
    proof = prove(pipeline, compiled(pipeline, 2), rows)
    assert proof.rows == 180
    assert 0 < proof.largest < TOLERANCE / 4


def test_a_model_that_takes_missing_values_is_proved_with_them() -> None:
    rows = rows_of(2, 60)
    rows[3, 1] = np.nan
    pipeline = make_pipeline(SimpleImputer(), OneClassSVM(nu=0.1)).fit(rows)
    assert prove(pipeline, compiled(pipeline, 2), rows).largest < TOLERANCE


def test_a_wrong_form_is_found_out() -> None:
    rows = rows_of(1, 100)
    model = compiled(OneClassSVM(nu=0.05).fit(rows), 1)
    with pytest.raises(ExportError, match=r"differs from scikit-learn's by .* of its scale: wanted at most"):
        prove(OneClassSVM(nu=0.06).fit(rows), model, rows)


def test_a_wrong_rule_for_the_border_is_found_out() -> None:
    class Contrary(OneClassSVM):
        """Calls every row the other thing."""

        def predict(self, X: Any) -> Any:  # noqa: N803 (scikit-learn's name)
            return -super().predict(X)

    rows = rows_of(1, 100)
    with pytest.raises(ExportError, match=r"labels differ from scikit-learn's in \d+ rows"):
        prove(Contrary(nu=0.05).fit(rows), compiled(OneClassSVM(nu=0.05).fit(rows), 1), rows)
