"""Fixed-order arithmetic: the same bits on every processor, with any number of rows beside each other.

IEEE 754 fixes + − × ÷, rint, fmod and comparisons to the last bit, and NumPy does them one element at a
time. It fixes neither exp, tanh and cos, which NumPy takes from whatever the processor is good at, nor the
order of a sum, which NumPy and BLAS choose likewise. So here are sums of a stated order, and functions that
are made of the exact operations alone. They are a few times slower, and for the rows that need them.

Arrays have rows of readings beside each other: (…, n).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

UNIT = 2.0**-53
"""Of roundoff: one operation's result differs from the true one by at most this share of it."""

_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
# ln 2 as a sum of two: the first ends in zeros, so that its product with any exponent is exact.
_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_LEAST_EXPONENT = -708.0  # e to this is about the smallest normal number: it stands for all below
_TWO_PI = float.fromhex("0x1.921fb54442d18p+2")
_ONE_BY_PI = float.fromhex("0x1.45f306dc9c883p-2")
_PI_HIGH = float.fromhex("0x1.921fb54400000p+1")
_PI_LOW = float.fromhex("0x1.0b4611a626331p-33")


# Taylor's series as far as its terms matter, highest power first: |r| <= ln(2)/2 and 0.347^14/14! = 4e-18;
# |y| <= pi/2 and 1.571^24/24! = 8e-20.
_EXP = [1 / math.factorial(number) for number in range(13, -1, -1)]
_COS = [(-1) ** number / math.factorial(2 * number) for number in range(11, -1, -1)]


def fold(terms: Array) -> Array:
    """The sum over the first axis, (m, …) to (…): last half onto first half until one is left.

    The error is at most log2(m) + 1 units of roundoff of the sum of the terms' sizes. Overwrites `terms`.
    """
    count = len(terms)
    while count > 1:
        half = count // 2
        np.add(terms[:half], terms[count - half : count], out=terms[:half])
        count -= half
    found: Array = terms[0]
    return found


def product(matrix: Array, columns: Array) -> Array:
    """The matrix product (k, d) · (d, n), summed in the order of d."""
    found: Array = matrix[:, :1] * columns[0]
    part = np.empty_like(found)
    for place in range(1, len(columns)):
        np.multiply(matrix[:, place : place + 1], columns[place], out=part)
        found += part
    return found


def squared_distances(vectors: Array, columns: Array) -> Array:
    """|x − s|² of vectors (d, m, 1) and columns (d, n), as (m, n), summed in the order of d."""
    found: Array = columns[0] - vectors[0]
    found *= found
    part = np.empty_like(found)
    for place in range(1, len(columns)):
        np.subtract(columns[place], vectors[place], out=part)
        part *= part
        found += part
    return found


def exp(exponents: Array) -> Array:
    """e to the power, for numbers up to 700; below −708 it is as at −708, 3e-308. Error: 4 units of roundoff.

    Cody and Waite, Software Manual for the Elementary Functions (1980), chapter 6: exp(x) = 2^k exp(r) with
    r = x − k ln 2.
    """
    rest = np.maximum(exponents, _LEAST_EXPONENT)
    powers = np.rint(rest * _LOG2_E)
    rest -= powers * _LN2_HIGH
    rest -= powers * _LN2_LOW
    found = _polynomial(_EXP, rest)
    # 2^k by adding k to the exponent's bits: both factors and their product are normal numbers.
    found.view(np.int64)[...] += powers.astype(np.int64) << 52
    return found


def tanh(values: Array) -> Array:
    """The hyperbolic tangent; error: 8 units of roundoff of 1."""
    fading = exp(np.abs(values) * -2.0)
    return np.copysign((1.0 - fading) / (1.0 + fading), values)


def cos(angles: Array) -> Array:
    """The cosine; error: 8 units of roundoff of 1, and half a unit of the angle."""
    rest = np.abs(np.fmod(angles, _TWO_PI))
    halves = np.rint(rest * _ONE_BY_PI)  # 0, 1 or 2 times pi: the one in the middle turns the sign
    rest -= halves * _PI_HIGH
    rest -= halves * _PI_LOW
    rest *= rest
    return _polynomial(_COS, rest) * (1.0 - 2.0 * (halves * (2.0 - halves)))


def power(values: Array, degree: int) -> Array:
    """The values to a whole power of 1 or more, by repeated squaring; error: `degree` units of roundoff."""
    found: Any = None
    while True:
        if degree & 1:
            found = values if found is None else found * values
        degree >>= 1
        if not degree:
            break
        values = values * values
    result: Array = found
    return result


def _polynomial(coefficients: list[float], values: Array) -> Array:
    """By Horner's rule."""
    found = values * coefficients[0]
    found += coefficients[1]
    for coefficient in coefficients[2:]:
        found *= values
        found += coefficient
    return found
