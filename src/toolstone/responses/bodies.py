"""Bodies that are written by hand: joined from parts, and said in JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, to_json

from toolstone.errors import InputError
from toolstone.items import input_items

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["joined", "rendered", "write"]

JSON = dict[str, Any]


def joined(
    model: str,
    body: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
    *,
    only: Collection[str] | None = None,
) -> JSON:
    """One body of its parts; the model where it names none, and items as the wire has them.

    Args:
        model: The client's.
        body: Fields.
        fields: More of them; they count before those in `body`.
        only: The names that the operation takes; what else there is, is left out.

    Raises:
        InputError: The input is none.
    """
    whole = {"model": model, **(body or {}), **fields}
    if "input" in whole:
        whole["input"] = _input(whole["input"])
    return {name: said for name, said in whole.items() if only is None or name in only}


def _input(given: Any) -> Any:
    """Text and JSON as they are; items, parts and lists of them as the wire has them."""
    if isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(one, dict) for one in given):
        return given
    return [item.raw for item in input_items(given)]


def rendered(body: Mapping[str, Any]) -> bytes:
    """The body in JSON.

    Raises:
        InputError: It cannot be.
    """
    return write(body, "the body")


def write(raw: object, what: str) -> bytes:
    """A value in JSON.

    Args:
        raw: The value.
        what: What it is, for the error.

    Raises:
        InputError: JSON cannot say it.
    """
    try:
        return to_json(raw, inf_nan_mode="constants")
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise InputError(
            f"{what} cannot be written as JSON: {type(error).__name__}; "
            "use plain JSON values and valid Unicode text"
        ) from error
