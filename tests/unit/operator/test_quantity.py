from decimal import Decimal

import pytest

from scoring_operator.quantity import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"),
        ("100m", "0.1"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("2.", "2"),
        ("512Mi", "536870912"),
        ("1Gi", "1073741824"),
        ("1k", "1000"),
        ("1E", "1e18"),
        ("1e3", "1000"),
        ("1E-2", "0.01"),
        ("5n", "5e-9"),
        ("0", "0"),
    ],
)
def test_quantities(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "-1", "1 Gi", "1GiB", "Mi", "1e", "much", "1" * 30, "1e100", "NaN"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        quantity(text)
