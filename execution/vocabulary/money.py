"""Money is Decimal, never float. Parsing, rounding to steps, and the one way to print an amount."""

from decimal import ROUND_DOWN, ROUND_UP, Decimal, InvalidOperation

ZERO = Decimal(0)


def amount(value: str | int | Decimal) -> Decimal:
    """Parse a finite amount. Floats are refused by type; NaN and infinities raise ValueError."""
    try:
        parsed = Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"not an amount: {value!r}") from error
    if not parsed.is_finite():
        raise ValueError(f"not a finite amount: {value!r}")
    return parsed


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that isn't above `value`, with the step's own decimals."""
    return (value / step).to_integral_value(ROUND_DOWN) * step


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that isn't below `value`."""
    return (value / step).to_integral_value(ROUND_UP) * step


def text(value: Decimal) -> str:
    """Plain digits without exponent or trailing zeros: '0.001', never '1E-3'."""
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain
