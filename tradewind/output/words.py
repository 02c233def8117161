"""Numbers and units as people read them."""

from __future__ import annotations

import math
import re

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
MINUS = "\N{MINUS SIGN}"


def units(text: str) -> str:
    """Return CF units with real exponents: ``kg m-2 s-1`` becomes ``kg m⁻² s⁻¹``."""
    if text.strip() in {"", "1"}:
        return ""
    raised = re.sub(
        r"(?<=[A-Za-z])(?<!\d[eE])(?:\^|\*\*)?(-?\d+)\b", lambda m: m[1].translate(_SUPERSCRIPT), text
    )
    return raised.replace("*", "\N{MIDDLE DOT}")


def number(value: float | None, digits: int = 3) -> str:
    """Return `value` with so many significant digits; a dash where it is not known."""
    if value is None or not math.isfinite(value):
        return "\N{EM DASH}"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e6:
        return power(value, digits)
    decimals = max(digits - 1 - _exponent(value), 0)
    return f"{value:,.{decimals}f}".replace("-", MINUS).replace(",", "\N{THIN SPACE}")


def power(value: float, digits: int = 3) -> str:
    """Return `value` as ``1.23 × 10⁻⁹``."""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa} × {ten_to(int(exponent))}".replace("-", MINUS)


def ten_to(exponent: int) -> str:
    """Return a power of ten, ``10⁻⁹``."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def with_error(value: float, sigma: float) -> str:
    """Return ``2.31 ± 0.42``: the error with two significant digits, the value with as many decimals."""
    if not (math.isfinite(value) and math.isfinite(sigma) and sigma > 0):
        return number(value)
    if not 1e-4 <= sigma < 1e6:
        return f"{power(value)} ± {power(sigma, 2)}"
    decimals = max(1 - _exponent(sigma), 0)
    return f"{value:.{decimals}f} ± {sigma:.{decimals}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """Return `value` with its sign."""
    return ("+" if value > 0 else "") + number(value, digits)


def percent(change: float) -> str:
    """Return a relative change, ``+38 %``."""
    if not math.isfinite(change):
        return number(change)
    return f"{100 * change:+.0f} %".replace("-", MINUS)


def seconds(value: float) -> str:
    """Return a duration that is easy on the eye: ``4.2 ms``, ``0.42 s``, ``12.3 s``, ``3 min 05 s``."""
    if 0 < value < 0.01:
        return f"{number(1000 * value, 2)} ms"
    if value < 100:
        return f"{number(value, 2 if value < 10 else 3)} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def whole(value: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\N{THIN SPACE}")
