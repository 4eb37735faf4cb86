"""A schema is filled slot by slot: from what tools returned, from the request's words, else freely.

The model never writes JSON. It is asked for one value at a time, under a grammar of the values that
could stand there, and what must stand there is not asked at all. Each value fits its schema before
it is said, so the whole fits too.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolstone import limits
from toolstone.local.brain import RefusalError
from toolstone.local.brains.llama.engine import Engine
from toolstone.local.brains.llama.grammar import json_grammar, literal, resolve
from toolstone.local.brains.llama.prompts import Fact, said_json, spoken
from toolstone.local.brains.llama.spans import span_rules
from toolstone.local.brains.llama.words import (
    Number,
    dates,
    numbers,
    overlap,
    related,
    stems,
    words,
)
from toolstone.schema.foreign import SafeSchema, UnsafeSchema

__all__ = ["Filler"]

Schema = Mapping[str, Any]

_VALUE_TOKENS = 96
_NOTHING = object()
_SCALARS = ("string", "number", "integer", "boolean", "null")


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in the schema where one value goes."""

    name: str
    schema: Schema  # without null
    nullable: bool

    @property
    def about(self) -> set[str]:
        """The stems of what is said about it."""
        return stems(f"{spoken(self.name)} {self.schema.get('description', '')}")


@dataclass
class Filler:
    """Fills one schema.

    Args:
        engine: The model that is asked where there is a choice.
        prompt: The examples and the case; the JSON follows it.
        root: The schema that is filled.
        text: The words that values are taken from.
        facts: What tools were given and gave back, newest last.
        without: Words of the text that are no values.
    """

    engine: Engine
    prompt: str
    root: Schema
    text: str
    facts: Sequence[Fact] = ()
    without: Sequence[str] = ()
    said: str = ""
    _numbers: list[Number] = field(init=False)
    _taken: list[str] = field(default_factory=list)  # the words of values already said
    _chosen: list[Any] = field(default_factory=list)  # the members of enums already said
    _used: set[int] = field(default_factory=set)  # the facts already said, by index

    def __post_init__(self) -> None:
        self._numbers = numbers(self.text)

    async def fill(self) -> AsyncIterator[str]:
        """Say the JSON text of a value that fits the root, piece by piece."""
        async for piece in self._value("", self.root, self.root):
            self.said += piece
            yield piece

    async def _value(self, name: str, schema: Schema, parent: Schema) -> AsyncIterator[str]:
        slot = _slot(name, schema, self.root)
        shape = slot.schema
        if shape.get("type") == "object" and shape.get("properties"):
            if slot.nullable and not self._mentioned(slot):
                yield "null"
                return
            async for piece in self._object(shape):
                yield piece
        elif shape.get("type") == "array" and self._simple(shape):
            async for piece in self._array(slot):
                yield piece
        else:
            yield await self._leaf(slot, parent)

    async def _object(self, schema: Schema) -> AsyncIterator[str]:
        opening = "{"
        for name, inner in schema["properties"].items():
            if not _expressible(inner, self.root) and name not in schema.get("required", ()):
                continue
            yield f"{opening}{json.dumps(name, ensure_ascii=False)}: "
            async for piece in self._value(name, inner, schema):
                yield piece
            opening = ", "
        yield "}" if opening == ", " else "{}"

    def _simple(self, schema: Schema) -> bool:
        """Tell whether an array can be filled item by item."""
        item = _slot("", schema.get("items", {}), self.root)
        return "prefixItems" not in schema and item.schema.get("type") in _SCALARS

    async def _array(self, slot: _Slot) -> AsyncIterator[str]:
        """Say item after item while fresh words or numbers are left and the model goes on."""
        schema = slot.schema
        item = _slot(slot.name, schema["items"], self.root)
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(limits.LOCAL_ARRAY_ITEMS, least))
        count = 0
        yield "["
        while count < most and (count < least or await self._goes_on(item, count)):
            if count:
                yield ", "
            yield await self._leaf(item, {})
            count += 1
        yield "]"

    async def _goes_on(self, item: _Slot, count: int) -> bool:
        kind = item.schema.get("type")
        if kind in ("number", "integer"):
            return any(_fits(json.loads(n.json), item, self.root) for n in self._numbers)
        fresh = span_rules(self.text, without=[*self._taken, *self.without])
        if "enum" in item.schema:
            left = [m for m in item.schema["enum"] if m not in self._chosen]
            return any(_place(str(member), self.text) >= 0 for member in left)
        if fresh is None or kind != "string":
            return False
        if count == 0:
            return True
        # A token holds the quote and what follows it.
        so_far = (self.prompt + self.said).removesuffix('"')
        end = await self.engine.likelihood(so_far, '"]')
        more = await self.engine.likelihood(so_far, '", "')
        return more > end

    async def _leaf(self, slot: _Slot, parent: Schema) -> str:
        for attempt in (self._fixed, self._fact, self._listed, self._figure, self._date):
            value = await attempt(slot, parent)
            if value is not _NOTHING and _fits(value, slot, self.root):
                return said_json(value)
        if slot.nullable and not self._mentioned(slot):
            return "null"
        return await self._written(slot)

    async def _fixed(self, slot: _Slot, _: Schema) -> Any:
        if "const" in slot.schema:
            return slot.schema["const"]
        only = slot.schema.get("enum", ())
        return only[0] if len(only) == 1 and not slot.nullable else _NOTHING

    async def _fact(self, slot: _Slot, _: Schema) -> Any:
        """Take what a tool was given or gave back, where its name says that it belongs here."""
        best, rank = None, (0, 0, 0)
        for index, fact in enumerate(self.facts):
            if not _fits(fact.value, slot, self.root):
                continue
            same = fact.key == slot.name
            near = overlap(slot.about, stems(f"{spoken(fact.key)} {fact.about}"))
            weight = (2 * same + near, int(index not in self._used), int(fact.given))
            if (same or near) and weight > rank:
                best, rank = index, weight
        if best is None:
            best = self._last_fact_left(slot)
        if best is None:
            return _NOTHING
        self._used.add(best)
        return self.facts[best].value

    def _last_fact_left(self, slot: _Slot) -> int | None:
        """Take the only result that fits here and was not said yet."""
        if slot.nullable or slot.schema.get("enum"):
            return None
        left = [
            index
            for index, fact in enumerate(self.facts)
            if fact.given and index not in self._used and _fits(fact.value, slot, self.root)
        ]
        return left[0] if len(left) == 1 else None

    async def _listed(self, slot: _Slot, _: Schema) -> Any:
        """Choose among the members of an enum: those the text names, else by the model."""
        members = slot.schema.get("enum")
        if not members:
            return _NOTHING
        named = sorted(
            (place, index)
            for index, member in enumerate(members)
            if (place := _place(str(member), self.text)) >= 0
        )
        fresh = [members[i] for _, i in named if members[i] not in self._chosen]
        if not fresh and slot.nullable:
            return None
        choices = fresh[:1] or [m for m in members if m not in self._chosen] or list(members)
        value = choices[0] if len(choices) == 1 else await self._pick(choices)
        self._chosen.append(value)
        self._taken += [word.text for word in words(str(value))]
        return value

    async def _pick(self, choices: Sequence[Any]) -> Any:
        grammar = "root ::= " + " | ".join(literal(said_json(choice)) for choice in choices)
        written = await self.engine.write(self.prompt + self.said, grammar, tokens=_VALUE_TOKENS)
        return json.loads(written.text)

    async def _figure(self, slot: _Slot, parent: Schema) -> Any:
        """Take one of the numbers of the text that is not taken yet."""
        kind = slot.schema.get("type")
        if kind not in ("number", "integer"):
            return _NOTHING
        fitting = [n for n in self._numbers if _fits(json.loads(n.json), slot, self.root)]
        marked = [n for n in fitting if related(slot.about, _around(n))]
        others = [n for n in fitting if not self._of_another(n, slot)]
        spare = len(others) > self._wanted(parent, slot) if slot.nullable else bool(fitting)
        if not (marked or spare):
            return None if slot.nullable else _NOTHING
        choices = marked or others or fitting
        chosen = choices[0] if len(choices) == 1 else await self._among(choices)
        self._numbers.remove(chosen)
        return json.loads(chosen.json)

    async def _among(self, choices: Sequence[Number]) -> Number:
        value = await self._pick([json.loads(choice.json) for choice in choices])
        return next(choice for choice in choices if json.loads(choice.json) == value)

    def _of_another(self, number: Number, slot: _Slot) -> bool:
        """Tell whether the words around a number name another slot."""
        names = _names(self.root) - {slot.name}
        return any(related(stems(spoken(name)), _around(number)) for name in names)

    def _wanted(self, parent: Schema, slot: _Slot) -> int:
        """Count the numbers that the required slots after this one still need."""
        names = list(parent.get("properties", {}))
        later = names[names.index(slot.name) + 1 :] if slot.name in names else []
        slots = [_slot(name, parent["properties"][name], self.root) for name in later]
        return sum(s.schema.get("type") in ("number", "integer") and not s.nullable for s in slots)

    async def _date(self, slot: _Slot, _: Schema) -> Any:
        found = dates(self.text) if slot.schema.get("format") == "date" else ()
        return next(iter(found), _NOTHING)

    async def _written(self, slot: _Slot) -> str:
        """Let the model write the value, in words of the text if it can."""
        spans = self._spans(slot)
        grammar = json_grammar(slot.schema, root=self.root, strings=spans)
        written = await self.engine.write(self.prompt + self.said, grammar, tokens=_VALUE_TOKENS)
        if not _fits_text(written.text, slot, self.root):
            grammar = json_grammar(slot.schema, root=self.root)
            written = await self.engine.write(
                self.prompt + self.said, grammar, tokens=limits.LOCAL_ANSWER_TOKENS
            )
        self._take(written.text)
        return written.text

    def _spans(self, slot: _Slot) -> str | None:
        """Give the words the value may be made of: fresh ones if there are any."""
        own = [w.text for w in words(self.text) if related(stems(w.text), stems(spoken(slot.name)))]
        for without in ([*self._taken, *self.without, *own], self._taken, []):
            if spans := span_rules(self.text, without=without):
                return spans
        return None

    def _take(self, text: str) -> None:
        value = json.loads(text)
        if isinstance(value, str):
            self._taken += [word.text for word in words(value) if not word.empty]

    def _mentioned(self, slot: _Slot) -> bool:
        """Tell whether the text speaks of an optional slot at all."""
        return related(stems(spoken(slot.name)), stems(self.text))


def _slot(name: str, schema: Schema, root: Schema) -> _Slot:
    """See through references and unions with null."""
    schema = resolve(schema, root)
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        rest = [branch for branch in branches if resolve(branch, root).get("type") != "null"]
        if len(rest) == 1:
            inner = _slot(name, rest[0], root)
            about = {k: v for k, v in schema.items() if k == "description"}
            return _Slot(name, {**inner.schema, **about}, inner.nullable or len(branches) > 1)
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        rest_kinds = [kind for kind in kinds if kind != "null"]
        plain = {**schema, "type": rest_kinds[0] if len(rest_kinds) == 1 else rest_kinds}
        if "enum" in plain:
            plain["enum"] = [member for member in plain["enum"] if member is not None]
        return _Slot(name, plain, nullable=True)
    return _Slot(name, schema, nullable=kinds == "null")


def _around(number: Number) -> set[str]:
    return stems(f"{number.before} {number.after}")


def _names(schema: object) -> set[str]:
    """Give the names of all properties in a schema."""
    if isinstance(schema, Mapping):
        own = set(schema["properties"]) if isinstance(schema.get("properties"), Mapping) else set()
        return own.union(*(_names(inner) for inner in schema.values()))
    if isinstance(schema, list):
        return set().union(*(_names(inner) for inner in schema))
    return set()


def _fits(value: object, slot: _Slot, root: Schema) -> bool:
    if value is None:
        return slot.nullable
    return is_valid(value, slot.schema, root)


def _fits_text(text: str, slot: _Slot, root: Schema) -> bool:
    try:
        return _fits(json.loads(text), slot, root)
    except ValueError:
        return False


def is_valid(value: object, schema: Schema, root: Schema) -> bool:
    """Tell whether a value fits a schema whose references look into `root`."""
    shared = {key: root[key] for key in ("$defs", "definitions") if key in root}
    try:
        return not SafeSchema({**shared, **schema}).problems(value)
    except UnsafeSchema as problem:
        raise RefusalError(400, "invalid_value", str(problem)) from None


def _expressible(schema: Schema, root: Schema) -> bool:
    from toolstone.local.brains.llama.grammar import InexpressibleError  # noqa: PLC0415

    try:
        json_grammar(schema, root=root)
    except InexpressibleError:
        return False
    return True


def _place(member: str, text: str) -> int:
    """Find where a text names a member of an enum; -1 if nowhere."""
    low = text.lower()
    place = low.find(spoken(member).lower())
    if place >= 0:
        return place
    wanted = stems(spoken(member))
    for word in words(text):
        if wanted and related(wanted, stems(word.text)) and len(wanted) == 1:
            return low.find(word.text.lower())
    return -1
