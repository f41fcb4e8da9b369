"""Kubernetes' quantities: `100m`, `1.5`, `512Mi`, `1e3`.

The grammar is that of apimachinery's `resource.Quantity`: a decimal number, then one suffix of the two
tables, or an exponent.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_QUANTITY = re.compile(
    r"(?P<number>[0-9]{1,20}(\.[0-9]{0,9})?|\.[0-9]{1,9})"
    r"((?P<suffix>n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)|[eE](?P<exponent>[+-]?[0-9]{1,2}))?"
)
_FACTORS = {
    **{suffix: Decimal(10) ** power for suffix, power in zip("num", (-9, -6, -3), strict=True)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


@lru_cache(maxsize=1024)  # the same few texts stand in every Job
def quantity(text: str) -> Decimal:
    """The number that `text` means; raises `ValueError` for one that is negative or none at all."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a quantity; wanted one such as 100m, 1.5 or 512Mi")
    factor = _FACTORS.get(found["suffix"] or "", Decimal(1)) * Decimal(10) ** int(found["exponent"] or 0)
    return Decimal(found["number"]) * factor
