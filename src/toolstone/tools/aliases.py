"""Names that a model cannot call, written so that it can, and read back.

Tools from elsewhere are called `math.factorial` or `files/read`; the wire takes letters, digits,
`_` and `-`. A dot becomes `--`, any other character `-xHEX-`: `math--factorial`. Such an alias says
its name in every process and every stored session. What is longer than 64 characters so is cut and
ends in a digest; it is found again among the names there are.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from toolstone.errors import DefinitionError
from toolstone.tools.tool import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["alias", "name_behind"]

_FOREIGN: Final = re.compile(r"-(?![A-Za-wy0-9_])|[^A-Za-z0-9_-]")
_ESCAPED: Final = re.compile(r"--|-x(10[0-9a-f]{4}|[0-9a-f]{1,5})-")
_CUT: Final = re.compile(r".{52}-z[0-9a-f]{10}")
_MOST: Final = 64


def alias(name: str) -> str:
    """A name as a model can call it; nearly every name that it can call as it is stays.

    Raises:
        DefinitionError: It is empty.

    Example:
        Tool.from_schema(alias("math.factorial"), schema, factorial)  # math--factorial
    """
    written = _written(name)
    if len(written) > _MOST:
        digest = sha256(name.encode(errors="surrogatepass")).hexdigest()
        written = f"{written[:52]}-z{digest[:10]}"
    return check_name(written)


def name_behind(text: str, among: Iterable[str] = ()) -> str:
    """The name that an alias was made of.

    Args:
        text: The alias.
        among: The names there are; needed for long ones alone.

    Raises:
        DefinitionError: `alias` makes no such text, or of none of these names.
    """
    if _CUT.fullmatch(text):
        name = next((one for one in among if alias(one) == text), "")
    else:
        name = _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else ".", text)
    if not name or alias(name) != text:
        raise DefinitionError(f"{text[:64]!r} is no alias; give a text that alias() made")
    return name


def _written(name: str) -> str:
    return _FOREIGN.sub(lambda one: "--" if one[0] == "." else f"-x{ord(one[0]):x}-", name)
