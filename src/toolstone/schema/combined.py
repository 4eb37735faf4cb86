"""How schemas are combined (`allOf`, `anyOf`, `if` ...), and a node made of its keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.schema.keywords import KINDS, LAST, MAKERS
from toolstone.schema.look import MOST_TOLD, Look, Node, every

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.schema.look import Check, Child, Path, Seen

__all__ = ["compile_checks"]


def compile_checks(node: Node, child: Child, target: Any) -> None:
    """Fill in the checks of a node.

    Args:
        node: It.
        child: The node of a schema inside.
        target: The schema its `$ref` leads to, if it has one.
    """
    says = node.says
    if isinstance(says, bool):
        node.checks = [] if says else [_nothing]
        return
    if "$ref" in says:
        node.checks.append(child(target).fits)
    known = sorted(_ALL.keys() & says.keys(), key=_ORDER.__getitem__)
    made = [_ALL[keyword](says[keyword], says, child) for keyword in known]
    node.checks += [check for check in made if check is not None]


def _nothing(look: Look, _value: Any, at: Path, _seen: Seen) -> bool:
    look.tell(at, "not expected; remove it")
    return False


def _dependent_schemas(wanted: dict[str, Any], _says: Any, child: Child) -> Check:
    nodes = {name: child(one) for name, one in wanted.items()}

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if type(value) is not dict:
            return True
        look.left -= len(nodes)
        given = [node for name, node in nodes.items() if name in value]
        return every(node.fits(look, value, at, seen) for node in given)

    return check


def _all_of(wanted: list[Any], _says: Any, child: Child) -> Check:
    nodes = [child(one) for one in wanted]

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        return every(node.fits(look, value, at, seen) for node in nodes)

    return check


def _any_of(wanted: list[Any], _says: Any, child: Child) -> Check:
    nodes = [child(one) for one in wanted]

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        if seen is None:
            good = any(look.quietly(node, value, None) for node in nodes)
        else:
            good = bool(sum(_fits_and_sees(look, node, value, seen) for node in nodes))
        return good or _explain(look, value, at, nodes, "anyOf")

    return check


def _one_of_schemas(wanted: list[Any], _says: Any, child: Child) -> Check:
    nodes = [child(one) for one in wanted]

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        fitting = sum(_fits_and_sees(look, node, value, seen) for node in nodes)
        if fitting == 0:
            return _explain(look, value, at, nodes, "oneOf")
        if fitting > 1:
            look.tell(at, f"fits {fitting} of the schemas in oneOf; it must fit exactly one")
        return fitting == 1

    return check


def _fits_and_sees(look: Look, node: Node, value: Any, seen: Seen) -> bool:
    """Whether a value fits; only then what was evaluated is noted."""
    inner: Seen = None if seen is None else set()
    good = look.quietly(node, value, inner)
    if good and inner and seen is not None:
        seen |= inner
    return good


def _explain(look: Look, value: Any, at: Path, nodes: list[Node], keyword: str) -> bool:
    """Tell why no schema fits: of the only one that is for such a value, or in general."""
    if look.told is not None:
        few = nodes if len(nodes) <= MOST_TOLD else ()
        near = [node for node in few if _is_for(node.says, value)]
        if len(near) == 1:
            near[0].fits(look, value, at, None)
        else:
            look.tell(at, f"does not fit {keyword}")
    return False


def _is_for(says: Any, value: Any) -> bool:
    wanted = says.get("type", ()) if isinstance(says, dict) else ()
    names = [wanted] if isinstance(wanted, str) else wanted
    return not names or any(type(value) in KINDS[name] for name in names)


def _not(wanted: Any, _says: Any, child: Child) -> Check:
    node = child(wanted)

    def check(look: Look, value: Any, at: Path, _seen: Seen) -> bool:
        if not look.quietly(node, value, None):
            return True
        look.tell(at, "fits what it must not fit")
        return False

    return check


def _if(wanted: Any, says: Any, child: Child) -> Check:
    condition = child(wanted)
    then, other = (child(says.get(keyword, True)) for keyword in ("then", "else"))

    def check(look: Look, value: Any, at: Path, seen: Seen) -> bool:
        held = _fits_and_sees(look, condition, value, seen)
        return (then if held else other).fits(look, value, at, seen)

    return check


_ALL: Final[dict[str, Callable[..., Check | None]]] = {
    **MAKERS,
    "dependentSchemas": _dependent_schemas,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of_schemas,
    "not": _not,
    "if": _if,
    **LAST,
}
_ORDER: Final = {keyword: number for number, keyword in enumerate(_ALL)}
