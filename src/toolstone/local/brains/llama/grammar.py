"""A JSON Schema becomes a grammar (GBNF) that lets through nothing but values that fit it. Pure.

llama.cpp has a converter of its own, but answers what it cannot convert with unconstrained prose.
Here a schema that cannot be said raises, with the keyword and where it stands.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolstone import limits
from toolstone.local.brains.llama.ranges import integer_range
from toolstone.local.brains.llama.words import dates, numbers

__all__ = ["InexpressibleError", "answer_grammar", "bounds", "json_grammar", "literal", "resolve"]

Schema = Mapping[str, Any]

_SILENT = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
    *("anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions", "title", "description"),
    *("default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$schema", "$id"),
    *("$comment", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum", "format", "contentEncoding", "discriminator"),
    *("contentMediaType", "uniqueItems", "prefixItems", "nullable"),
}
_TYPES = ("string", "number", "integer", "boolean", "null", "array", "object")
_FORMATS = {
    "date": "date",
    "date-time": 'date "T" clock "Z"',
    "time": 'clock "Z"',
    "duration": '"P" [1-9] [0-9]{0,2} "D"',
    "uuid": '[0-9a-f]{8} "-" [0-9a-f]{4} "-4" [0-9a-f]{3} "-" [89ab] [0-9a-f]{3} "-" [0-9a-f]{12}',
    "email": '[a-z]{1,20} "@" [a-z]{1,20} ".com"',
    "hostname": '[a-z]{1,20} ".com"',
    "ipv4": 'byte "." byte "." byte "." byte',
    "ipv6": '[1-9a-f] [0-9a-f]{0,3} "::" [1-9a-f] [0-9a-f]{0,3}',
    "uri": '"https://" [a-z]{1,20} ".com/" [a-z]{0,20}',
    "binary": "[A-Za-z0-9]{4}",
}
_COMMON = r"""
date ::= [1-2] [0-9]{3} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])
clock ::= ([0-1] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9]
byte ::= [1-9] [0-9]? | "1" [0-9] [0-9] | "2" [0-4] [0-9]
char ::= [^"\\\x7F\x00-\x1F]
int ::= "-"? ("0" | [1-9] [0-9]{0,4})
num ::= int ("." [0-9]{1,2})?
""".strip()


class InexpressibleError(Exception):
    """A schema says something a grammar cannot.

    Attributes:
        keyword: The keyword that stands in the way.
        path: Where in the schema.
    """

    def __init__(self, keyword: str, path: str, why: str) -> None:
        super().__init__(f"{path}: {keyword!r} {why}")
        self.keyword = keyword
        self.path = path


def json_grammar(schema: Schema, *, root: Schema | None = None, strings: str | None = None) -> str:
    """Write the grammar of the JSON values that fit a schema.

    Args:
        schema: What the value must fit.
        root: Where `$ref` looks; the schema itself if not given.
        strings: Rules that define `span`, which then stands wherever text of any kind may.

    Raises:
        InexpressibleError: The schema says what a grammar cannot.
    """
    writer = _Writer(root or schema, spans=strings is not None)
    start = writer.value(schema, "#")
    rules = [f"root ::= {start}", *writer.rules, _COMMON]
    return "\n".join([*rules, strings] if strings else rules)


def answer_grammar(values: Sequence[str], request: str) -> str:
    """Write the grammar of a short answer that states every value as it came.

    No number stands in it that stands neither in a value nor in the request.
    """
    known = {*values, *(number.json for number in numbers(request)), *dates(request)}
    figures = [literal(text) for text in sorted(known) if any(c.isdigit() for c in text)]
    talk = " | ".join([r"[^0-9\n<]", *figures])
    stated = " talk ".join(literal(value) for value in values)
    tail = r"[^0-9\n<]{0,80}"
    return f"root ::= talk {stated} tail\ntalk ::= (part){{0,80}}\npart ::= {talk}\ntail ::= {tail}"


def literal(text: str) -> str:
    """Quote a text for a grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def resolve(schema: Schema, root: Schema) -> Schema:
    """Follow local references until a schema stands there.

    Raises:
        InexpressibleError: The reference leads nowhere, or in a circle.
    """
    for _ in range(limits.LOCAL_DEPTH):
        ref = schema.get("$ref")
        if ref is None:
            return schema
        found: Any = root
        for step in str(ref).removeprefix("#").strip("/").split("/") if ref != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise InexpressibleError("$ref", str(ref), "leads nowhere in this schema")
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**found, **rest}
    raise InexpressibleError("$ref", str(schema["$ref"]), "leads in a circle")


def _lit(value: object) -> str:
    return literal(json.dumps(value, ensure_ascii=False))


class _Writer:
    """The rules of one grammar as they are found to be needed."""

    def __init__(self, root: Schema, *, spans: bool) -> None:
        self.rules: list[str] = []
        self._root = root
        self._spans = spans
        self._within: list[str] = []  # the references that are being followed

    def value(self, schema: object, path: str) -> str:
        """Give an expression for a value that fits; longer ones get a rule of their own."""
        if schema is True or schema == {}:
            return self._rule(f'{self._string({})} | num | "true" | "false" | "null"')
        if not isinstance(schema, Mapping):
            raise InexpressibleError("false", path, "admits nothing")
        ref = schema.get("$ref")
        if ref is None:
            return self._rule(self._alternatives(schema, path))
        if self._within.count(ref) >= _RECURSIONS:
            raise InexpressibleError("$ref", path, "goes deeper than the brain follows")
        self._within.append(ref)
        try:
            return self._rule(self._alternatives(resolve(schema, self._root), path))
        finally:
            self._within.pop()

    def _rule(self, expression: str) -> str:
        name = f"r{len(self.rules)}"
        self.rules.append(f"{name} ::= {expression}")
        return name

    def _alternatives(self, schema: Schema, path: str) -> str:
        for keyword in schema:
            if keyword not in _SILENT and not keyword.startswith("x-"):
                raise InexpressibleError(keyword, path, "cannot be kept by a grammar")
        if "const" in schema:
            return _lit(schema["const"])
        if "enum" in schema:
            return " | ".join(_lit(value) for value in schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._any(schema[keyword], f"{path}/{keyword}")
        if "allOf" in schema:
            return self._all(schema, path)
        return " | ".join(self._typed(schema, kind, path) for kind in _kinds(schema, path))

    def _any(self, branches: list[Any], path: str) -> str:
        """Let through any branch that can be said; at least one must."""
        said: list[str] = []
        failure: InexpressibleError | None = None
        for index, branch in enumerate(branches):
            try:
                said.append(self.value(branch, f"{path}/{index}"))
            except InexpressibleError as error:
                failure = failure or error
        if not said:
            raise failure or InexpressibleError("anyOf", path, "has no branch")
        return " | ".join(said)

    def _all(self, schema: Schema, path: str) -> str:
        if len(schema["allOf"]) != 1:
            raise InexpressibleError("allOf", path, "of several schemas cannot be kept")
        return self.value(schema["allOf"][0], f"{path}/allOf/0")

    def _typed(self, schema: Schema, kind: str, path: str) -> str:
        match kind:
            case "string":
                return self._string(schema)
            case "integer" | "number":
                return _number(schema, kind, path)
            case "boolean":
                return '"true" | "false"'
            case "null":
                return '"null"'
            case "array":
                return self._array(schema, path)
            case _:
                return self._object(schema, path)

    def _string(self, schema: Schema) -> str:
        if schema.get("format") in _FORMATS:
            return f'"\\"" {_FORMATS[schema["format"]]} "\\""'
        least = schema.get("minLength", 0)
        most = schema.get("maxLength", max(limits.LOCAL_STRING_CHARACTERS, least))
        free = most >= limits.LOCAL_STRING_CHARACTERS and least <= 1
        if self._spans and free:
            return '"\\"" span "\\""'
        return f'"\\"" char{{{least},{most}}} "\\""'

    def _array(self, schema: Schema, path: str) -> str:
        if "prefixItems" in schema:
            return self._tuple(schema, path)
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(limits.LOCAL_ARRAY_ITEMS, least))
        if schema.get("uniqueItems"):
            if least > 1:
                raise InexpressibleError("uniqueItems", path, "of several cannot be kept")
            most = min(most, 1)
        if most == 0:
            return '"[]"'
        try:
            item = self.value(schema.get("items", True), f"{path}/items")
        except InexpressibleError:
            if least:
                raise
            return '"[]"'  # what cannot be said need not be
        full = f'"[" {item} (", " {item}){{{max(least - 1, 0)},{most - 1}}} "]"'
        return full if least else f'"[]" | {full}'

    def _tuple(self, schema: Schema, path: str) -> str:
        items = [
            self.value(item, f"{path}/prefixItems/{index}")
            for index, item in enumerate(schema["prefixItems"])
        ]
        return '"[" ' + ' ", " '.join(items) + ' "]"'

    def _object(self, schema: Schema, path: str) -> str:
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in properties:
                raise InexpressibleError("required", path, f"asks for {name!r}, of unknown shape")
        required = set(schema.get("required", ()))
        members: list[str] = []
        for name, inner in properties.items():
            try:
                value = self.value(inner, f"{path}/properties/{name}")
            except InexpressibleError:
                if name in required:
                    raise
                continue  # what cannot be said and need not be is left out
            members.append(f"{_lit(name)} {literal(': ')} {value}")
        return literal("{") + " " + ' ", " '.join(members) + " " + literal("}")


_RECURSIONS = 3


def _kinds(schema: Schema, path: str) -> Iterator[str]:
    kinds = schema.get("type") or _implied(schema)
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind not in _TYPES:
            raise InexpressibleError("type", path, f"names {kind!r}, which JSON does not have")
        yield kind


def _implied(schema: Schema) -> list[str]:
    if "properties" in schema:
        return ["object"]
    if "items" in schema or "prefixItems" in schema:
        return ["array"]
    return ["string", "number", "boolean", "null"]


def _number(schema: Schema, kind: str, path: str) -> str:
    least, most = bounds(schema)
    if least is None and most is None:
        return "int" if kind == "integer" else "num"
    expression = integer_range(least, most)
    if expression is None:
        raise InexpressibleError("minimum", path, "and 'maximum' have no whole number between")
    return expression


def bounds(schema: Schema) -> tuple[int | None, int | None]:
    """Give the whole numbers between which a number must lie."""
    lows = [_up(schema["minimum"])] if "minimum" in schema else []
    lows += [_up(schema["exclusiveMinimum"], beyond=True)] if "exclusiveMinimum" in schema else []
    highs = [-_up(-schema["maximum"])] if "maximum" in schema else []
    highs += (
        [-_up(-schema["exclusiveMaximum"], beyond=True)] if "exclusiveMaximum" in schema else []
    )
    return max(lows, default=None), min(highs, default=None)


def _up(number: float, *, beyond: bool = False) -> int:
    whole = -int(-number // 1)
    return whole + 1 if beyond and whole == number else whole
