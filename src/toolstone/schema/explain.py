"""What pydantic found wrong, as sentences a model can act on: exact path, and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic_core import ValidationError, from_json, to_json

from toolstone.schema.naming import spell_path
from toolstone.schema.strictjson import find_problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, SchemaValidator

__all__ = ["explain", "validate"]

MOST: Final = 8
"""Problems that are told at once."""

Path = tuple[str | int, ...]


def validate(
    validator: SchemaValidator, raw: bytes | str, *, closed: bool, most: int
) -> tuple[Any, tuple[str, ...]]:
    """Validate JSON strictly; a null that means nothing else stands for the default.

    Args:
        validator: What the JSON must fit.
        raw: The JSON.
        closed: Whether keys that no type knows are refused everywhere.
        most: Bytes that are read.

    Returns:
        The value and no problems, or problems.
    """
    extra: Literal["forbid"] | None = "forbid" if closed else None
    try:
        return validator.validate_json(raw, strict=True, extra=extra), ()
    except ValidationError as error:
        first = error
    except Exception as error:  # noqa: BLE001  a validator of the user's type broke
        return None, (_broke(error),)
    details = first.errors(include_url=False)
    if details[0]["type"] in {"json_invalid", "string_unicode", "json_type"}:
        return None, (_broken(raw, most) or f"the JSON is broken: {details[0]['msg']}",)
    data = from_json(raw)
    dropped = _drop_nulls(data, details)
    if not dropped:
        return None, explain(first, data)
    try:
        return validator.validate_json(to_json(data), strict=True, extra=extra), ()
    except ValidationError as error:
        second = error
    except Exception as error:  # noqa: BLE001  as above
        return None, (_broke(error),)
    return None, _after_dropping(first, second, from_json(raw), dropped)


def _broke(error: Exception) -> str:
    return f"the value could not be checked: its validator raised {type(error).__name__}"


def _broken(raw: bytes | str, most: int) -> str | None:
    text = raw.decode(errors="surrogatepass") if isinstance(raw, bytes) else raw
    return find_problem(text, most, root=None)


def _drop_nulls(data: Any, details: list[ErrorDetails]) -> set[Path]:
    """Remove the keys whose null was refused, so that their defaults stand."""
    dropped: set[Path] = set()
    for one in details:
        if one["input"] is not None or one["type"] in {"missing", "extra_forbidden"}:
            continue
        path = _real(one["loc"], data)
        if path and path not in dropped and isinstance(path[-1], str):
            holder = _at(data, path[:-1])
            if isinstance(holder, dict) and holder.get(path[-1], 0) is None:
                del holder[path[-1]]
                dropped.add(path)
    return dropped


def _after_dropping(
    first: ValidationError, second: ValidationError, data: Any, dropped: set[Path]
) -> tuple[str, ...]:
    """What remains wrong: a null that had no default to stand for is told as it was."""
    still = second.errors(include_url=False)
    missing = {one["loc"] for one in still if one["type"] == "missing"}
    told = [
        one
        for one in first.errors(include_url=False)
        if _real(one["loc"], data) not in dropped or one["loc"] in missing
    ]
    return _sentences(told or still, data)


def explain(error: ValidationError, data: Any) -> tuple[str, ...]:
    """One sentence for each problem, at most eight."""
    return _sentences(error.errors(include_url=False), data)


def _sentences(details: list[ErrorDetails], data: Any) -> tuple[str, ...]:
    found: dict[str, list[str]] = {}
    for one in details:
        path = _real(one["loc"], data)
        if one["type"] == "missing" and isinstance(one["loc"][-1], str):
            path = (*path, one["loc"][-1])
        reasons = found.setdefault(spell_path(list(path)) or "the value", [])
        if (reason := _reason(one)) not in reasons:
            reasons.append(reason)
    told = [f"{path}: {' or '.join(reasons)}" for path, reasons in found.items()]
    if len(told) > MOST:
        return (*told[:MOST], f"and {len(told) - MOST} more")
    return tuple(told)


def _reason(one: ErrorDetails) -> str:
    if one["type"] == "missing":
        return "required, but missing"
    if one["type"] == "extra_forbidden":
        return "not expected; remove it"
    said = one["msg"][:1].lower() + one["msg"][1:]
    return f"{said} (got {_kind(one['input'])})"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return f"a string of {len(value)} characters"
        case list():
            return f"an array of {len(value)}"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def _real(loc: tuple[int | str, ...], data: Any) -> Path:
    """The path in the data: pydantic's, without the names of union branches."""
    path: list[str | int] = []
    for part in loc:
        if isinstance(part, int):
            inside = isinstance(data, list) and 0 <= part < len(data)
        else:
            inside = isinstance(data, dict) and part in data
        if inside:
            data = data[part]
            path.append(part)
    return tuple(path)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data
