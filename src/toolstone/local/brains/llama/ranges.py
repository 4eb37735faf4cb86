"""The whole numbers between two bounds, as a grammar expression over their digits. Pure."""

from collections.abc import Iterator

__all__ = ["integer_range"]

_FAR = 10**12


def integer_range(least: int | None, most: int | None) -> str | None:
    """Write the expression for the integers from `least` to `most`; None if there are none."""
    low = -_FAR if least is None else least
    high = max(_FAR, low) if most is None else most
    if least is None:
        low = min(low, high)
    if low > high:
        return None
    parts: list[str] = []
    if low < 0:
        negative = list(_magnitudes(max(1, -high), -low))
        parts += [f'"-" ({" | ".join(negative)})']
    if high >= 0:
        parts += list(_magnitudes(max(0, low), high))
    return " | ".join(parts)


def _magnitudes(low: int, high: int) -> Iterator[str]:
    """Cut the range where the number of digits changes."""
    while low <= high:
        top = min(high, 10 ** len(str(low)) - 1)
        yield _same_length(str(low), str(top))
        low = top + 1


def _same_length(low: str, high: str) -> str:
    if low == high:
        return f'"{low}"'
    if set(low) == {"0"} and set(high) == {"9"}:
        return f"[0-9]{{{len(low)}}}"
    if low[0] == high[0]:
        return f'"{low[0]}" ({_same_length(low[1:], high[1:])})'
    rest = len(low) - 1
    if rest == 0:
        return f"[{low}-{high}]"
    parts = []
    first, last = int(low[0]), int(high[0])
    if set(low[1:]) != {"0"}:
        parts.append(f'"{low[0]}" ({_same_length(low[1:], "9" * rest)})')
        first += 1
    if set(high[1:]) != {"9"}:
        parts.append(f'"{high[0]}" ({_same_length("0" * rest, high[1:])})')
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}] [0-9]{{{rest}}}")
    return " | ".join(parts)
