"""Elementary functions in float32 that compile to vector instructions: a library's are called one by one.

The polynomials are those of Cephes (Moshier) for the exponential and the logarithm, and Eigen's rational
approximation of the error function; each is within a few units in the last place.
"""

from __future__ import annotations

from math import erf as exact_erf

import numpy as np
from numpy import float32, int32

from tradewind.couplers.compiled import compiled

LARGEST = float32(4.0)
"""Beyond which erf is one in float32."""
LOWEST = float32(-87.0)
"""Below which the exponential is taken to be that of it: nothing, but no denormal number."""


def _erf(x: float32) -> float32:
    """Return the error function."""
    x = min(max(x, -LARGEST), LARGEST)
    s = x * x
    p = float32(-2.72614225801306e-10)
    p = p * s + float32(2.77068142495902e-08)
    p = p * s + float32(-2.10102402082508e-06)
    p = p * s + float32(-5.69250639462346e-05)
    p = p * s + float32(-7.34990630326855e-04)
    p = p * s + float32(-2.95459980854025e-03)
    p = p * s + float32(-1.60960333262415e-02)
    q = float32(-1.45660718464996e-05)
    q = q * s + float32(-2.13374055278905e-04)
    q = q * s + float32(-1.68282697438203e-03)
    q = q * s + float32(-7.37332916720468e-03)
    q = q * s + float32(-1.42647390514189e-02)
    # the operator would look for a division by zero, one number at a time
    answer: float32 = np.divide(x * p, q)
    return answer


erf = compiled(_erf)


def _exp(x: float32) -> float32:
    """Return the exponential of numbers up to 88."""
    x = max(x, LOWEST)
    n = np.floor(x * float32(1.44269504088896341) + float32(0.5))
    r = x - n * float32(0.693359375) + n * float32(2.12194440e-4)
    p = float32(1.9875691500e-4)
    p = p * r + float32(1.3981999507e-3)
    p = p * r + float32(8.3334519073e-3)
    p = p * r + float32(4.1665795894e-2)
    p = p * r + float32(1.6666665459e-1)
    p = p * r + float32(5.0000001201e-1)
    p = p * (r * r) + r + float32(1.0)
    power = int32((int32(n) + int32(127)) << int32(23))
    answer: float32 = p * power.view(float32)
    return answer


exp = compiled(_exp)


def _log(x: float32) -> float32:
    """Return the natural logarithm of a positive number."""
    bits = float32(x).view(int32)
    n = float32((bits >> int32(23)) - int32(127))
    m = int32((bits & int32(0x7FFFFF)) | int32(0x3F800000)).view(float32)
    large = m > float32(1.41421356)
    n = n + float32(1.0) if large else n
    m = (m * float32(0.5) if large else m) - float32(1.0)
    z = m * m
    p = float32(7.0376836292e-2)
    p = p * m + float32(-1.1514610310e-1)
    p = p * m + float32(1.1676998740e-1)
    p = p * m + float32(-1.2420140846e-1)
    p = p * m + float32(1.4249322787e-1)
    p = p * m + float32(-1.6668057665e-1)
    p = p * m + float32(2.0000714765e-1)
    p = p * m + float32(-2.4999993993e-1)
    p = p * m + float32(3.3333331174e-1)
    y = p * m * z + n * float32(-2.12194440e-4) - float32(0.5) * z
    return m + y + n * float32(0.693359375)


log = compiled(_log)

STEPS = 64
"""Intervals of the table in a unit."""
REACH = 6
"""Beyond which erf is one in float64, but for 2e-17."""
_PLACES = np.arange(-REACH * STEPS, REACH * STEPS + 2) / STEPS
_TABLE = np.array([[exact_erf(z), 2.0 / np.sqrt(np.pi) * np.exp(-z * z) / STEPS] for z in _PLACES])


def _erf_from_table(z: float) -> float:
    """Return the error function by cubic interpolation, within 2e-9: differences of it keep their digits."""
    if z <= -REACH:
        return -1.0
    if z >= REACH:
        return 1.0
    place = (z + REACH) * STEPS
    k = int(place)
    t = place - k
    low, high = _TABLE[k, 0], _TABLE[k + 1, 0]
    rise, later = _TABLE[k, 1], _TABLE[k + 1, 1]
    bend = 3.0 * (high - low) - 2.0 * rise - later
    answer: float = low + t * (rise + t * (bend + t * (rise + later - 2.0 * (high - low))))
    return answer


erf_from_table = compiled(_erf_from_table)
