"""What the keywords of JSON Schema (draft 2020-12) ask of a value, each compiled to a check.

How schemas are combined with one another stands in `combined`.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from toolstone.schema.linear import compile_pattern
from toolstone.schema.look import MOST_TOLD, Look, all_fit, every
from toolstone.schema.naming import clean_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from toolstone.schema.look import Check, Child, Path, Seen

__all__ = ["KINDS", "LAST", "MAKERS"]

_TEXT, _NUMBERS, _ARRAY, _OBJECT = {str}, {int, float}, {list}, {dict}
_UNCOUNTED: Final = 1 << 40
_HOLDERS: Final = frozenset({dict, list})


def _shown(value: Any) -> str:
    try:
        said = to_json(value).decode()
    except ValueError:
        return "..."
    return said if len(said) < 200 else "..."  # noqa: PLR2004  more is no help to a model


def _about(
    keyword: str, kinds: Collection[Any], test: Callable[[Any, Any], bool]
) -> Callable[..., Check]:
    """A keyword that asks something of values of some kinds and nothing of others."""

    def make(wanted: Any, _says: Any, _child: Child) -> Check:
        reason = f"must fit {keyword} {_shown(wanted)}"

        def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
            if type(value) not in kinds or test(value, wanted):
                return True
            look.tell(at, reason)
            return False

        return check

    return make


def _is_multiple(value: float, of: float) -> bool:
    if type(value) is int and type(of) is int:
        return value % of == 0
    return (Fraction(repr(value)) / Fraction(repr(of))).denominator == 1


KINDS: Final[Mapping[str, frozenset[type]]] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "object": frozenset({dict}),
    "array": frozenset({list}),
    "null": frozenset({type(None)}),
}


def _type(wanted: Any, _says: Any, _child: Child) -> Check:
    names = [wanted] if isinstance(wanted, str) else wanted
    kinds = frozenset().union(*(KINDS[name] for name in names))
    whole = "integer" in names and "number" not in names
    reason = f"must be of type {' or '.join(names)}"

    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        if type(value) in kinds or (whole and type(value) is float and value.is_integer()):
            return True
        look.tell(at, reason)
        return False

    return check


def _spelled(look: Look, value: Any) -> str:
    """A text that is the same for equal JSON values, and for no others.

    Not a hash of the value: numbers can be chosen so that theirs are all one.
    """
    kind = type(value)
    look.spend(2 if kind in _HOLDERS else 1)
    if kind is str:
        look.spend(len(value) // 1_000)
        return _quoted(value)
    if kind is list:
        return f"[{','.join([_spelled(look, one) for one in value])}]"
    if kind is dict:
        members = [f"{_quoted(key)}:{_spelled(look, one)}" for key, one in value.items()]
        return f"{{{','.join(sorted(members))}}}"
    if kind is float and value.is_integer():
        return str(int(value))
    return "null" if value is None else repr(value)


_quoted: Final = json.encoder.encode_basestring_ascii


def _one_of(wanted: list[Any], reason: str) -> Check:
    free = Look(_UNCOUNTED)
    texts = frozenset(one for one in wanted if type(one) is str)
    others = frozenset(_spelled(free, one) for one in wanted if type(one) is not str)
    longest = max(map(len, others), default=0)

    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        if type(value) is str:
            good = value in texts
        elif not others or (type(value) in _HOLDERS and 2 * len(value) > longest):
            good = False  # a member takes two characters at least
        else:
            good = _spelled(look, value) in others
        if not good:
            look.tell(at, reason)
        return good

    return check


def _enum(wanted: list[Any], _says: Any, _child: Child) -> Check:
    return _one_of(wanted, f"must fit enum {_shown(wanted)}")


def _const(wanted: Any, _says: Any, _child: Child) -> Check:
    return _one_of([wanted], f"must fit const {_shown(wanted)}")


def _pattern(wanted: str, _says: Any, _child: Child) -> Check:
    found = _finder(wanted)
    reason = f"must fit pattern {_shown(wanted)}"

    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        if type(value) is not str or found(look, value):
            return True
        look.tell(at, reason)
        return False

    return check


def _finder(pattern: str) -> Callable[[Look, str], bool]:
    compiled = compile_pattern(pattern)

    def found(look: Look, text: str) -> bool:
        look.spend(1 + compiled.states * len(text) // 1_000)  # a state and character: 1 ns at most
        return compiled.found_in(text)

    return found


# ----------------------------------------------------------------------------------- of arrays


def _unique(wanted: bool, _says: Any, _child: Child) -> Check | None:
    if not wanted:
        return None

    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        if type(value) is not list:
            return True
        if len({_spelled(look, one) for one in value}) == len(value):
            return True
        look.tell(at, "must not hold the same item twice")
        return False

    return check


def _prefix_items(wanted: list[Any], _says: Any, child: Child) -> Check:
    nodes = [child(one) for one in wanted]

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not list:
            return True
        if seen is not None:
            seen.update(range(min(len(nodes), len(value))))
        return all_fit(look, ((n, one, nodes[n]) for n, one in enumerate(value[: len(nodes)])), at)

    return check


def _items(wanted: Any, says: Any, child: Child) -> Check:
    node, first = child(wanted), len(says.get("prefixItems", ()))

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not list:
            return True
        if seen is not None:
            look.left -= len(value)
            seen.update(range(first, len(value)))
        return all_fit(look, ((n, value[n], node) for n in range(first, len(value))), at)

    return check


def _unevaluated_items(wanted: Any, _says: Any, child: Child) -> Check:
    node = child(wanted)

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not list or seen is None:
            return True
        look.left -= len(value)
        rest = [n for n in range(len(value)) if n not in seen]
        seen.update(rest)
        return all_fit(look, ((n, value[n], node) for n in rest), at)

    return check


def _contains(wanted: Any, says: Any, child: Child) -> Check:
    node, least, most = child(wanted), says.get("minContains", 1), says.get("maxContains")
    limits = f"at least {least}" + ("" if most is None else f" and at most {most}")
    reason = f"must hold {limits} of the items that fit contains"

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not list:
            return True
        found = [n for n, one in enumerate(value) if look.quietly(node, one, None)]
        if seen is not None:
            seen.update(found)
        if len(found) >= least and (most is None or len(found) <= most):
            return True
        look.tell(at, reason)
        return False

    return check


# ---------------------------------------------------------------------------------- of objects


def _properties(wanted: dict[str, Any], _says: Any, child: Child) -> Check:
    nodes = {name: child(one) for name, one in wanted.items()}

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not dict:
            return True
        look.left -= len(value) // 8
        known = [name for name in value if name in nodes]
        if seen is not None:
            seen.update(known)
        return all_fit(look, ((name, value[name], nodes[name]) for name in known), at)

    return check


def _pattern_properties(wanted: dict[str, Any], _says: Any, child: Child) -> Check:
    nodes = [(_finder(pattern), child(one)) for pattern, one in wanted.items()]

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not dict:
            return True
        known = [(name, node) for found, node in nodes for name in value if found(look, name)]
        if seen is not None:
            seen.update(name for name, _ in known)
        return all_fit(look, ((name, value[name], node) for name, node in known), at)

    return check


def _additional_properties(wanted: Any, says: Any, child: Child) -> Check:
    node, named = child(wanted), says.get("properties", {})
    finders = [_finder(pattern) for pattern in says.get("patternProperties", ())]

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not dict:
            return True
        look.left -= len(value) // 8
        rest = [n for n in value if n not in named and not any(f(look, n) for f in finders)]
        if seen is not None:
            seen.update(rest)
        return all_fit(look, ((name, value[name], node) for name in rest), at)

    return check


def _unevaluated_properties(wanted: Any, _says: Any, child: Child) -> Check:
    node = child(wanted)

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not dict or seen is None:
            return True
        look.left -= len(value)
        rest = [name for name in value if name not in seen]
        seen.update(rest)
        return all_fit(look, ((name, value[name], node) for name in rest), at)

    return check


def _property_names(wanted: Any, _says: Any, child: Child) -> Check:
    node = child(wanted)

    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        if type(value) is not dict:
            return True
        wrong = next((name for name in value if not look.quietly(node, name, None)), None)
        if wrong is None:
            return True
        look.tell((at, wrong), "a name that does not fit propertyNames")
        return False

    return check


def _required(wanted: list[str], _says: Any, _child: Child) -> Check:
    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        return type(value) is not dict or _has_all(look, value, at, wanted, "")

    return check


def _dependent_required(wanted: dict[str, list[str]], _says: Any, _child: Child) -> Check:
    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        if type(value) is not dict:
            return True
        look.left -= len(wanted)
        given = [name for name in wanted if name in value]
        told = [(wanted[name], f" beside {clean_name(name)}") for name in given]
        return every(_has_all(look, value, at, names, beside) for names, beside in told)

    return check


def _has_all(look: Look, value: Any, at: Path, names: list[str], beside: str) -> bool:
    look.left -= len(names) // 8
    missing = [name for name in names if name not in value]
    if not missing:
        return True
    shown = ", ".join(clean_name(name) for name in missing[:MOST_TOLD])
    look.tell(at, f"{shown} required{beside}, but missing")
    return False


MAKERS: Final[dict[str, Callable[..., Check | None]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _about("minimum", _NUMBERS, lambda value, least: value >= least),
    "maximum": _about("maximum", _NUMBERS, lambda value, most: value <= most),
    "exclusiveMinimum": _about("exclusiveMinimum", _NUMBERS, lambda value, low: value > low),
    "exclusiveMaximum": _about("exclusiveMaximum", _NUMBERS, lambda value, high: value < high),
    "multipleOf": _about("multipleOf", _NUMBERS, _is_multiple),
    "minLength": _about("minLength", _TEXT, lambda value, least: len(value) >= least),
    "maxLength": _about("maxLength", _TEXT, lambda value, most: len(value) <= most),
    "pattern": _pattern,
    "minItems": _about("minItems", _ARRAY, lambda value, least: len(value) >= least),
    "maxItems": _about("maxItems", _ARRAY, lambda value, most: len(value) <= most),
    "uniqueItems": _unique,
    "prefixItems": _prefix_items,
    "items": _items,
    "contains": _contains,
    "required": _required,
    "minProperties": _about("minProperties", _OBJECT, lambda value, least: len(value) >= least),
    "maxProperties": _about("maxProperties", _OBJECT, lambda value, most: len(value) <= most),
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "dependentRequired": _dependent_required,
}
LAST: Final[dict[str, Callable[..., Check]]] = {
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_properties,
}
"""These ask what all the others have seen."""
