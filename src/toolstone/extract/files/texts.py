"""The text of one file: plain text, Markdown, HTML, PDF, and nothing else.

HTML becomes Markdown (tables and lists stay what they are, emphasis and images go), a PDF the text
of its pages with an empty line between two. Evidence points into this text, not into the file.
"""

from __future__ import annotations

import codecs
import stat
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["TEXT_SUFFIXES", "check_plain", "missing_extra", "read_text"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EMPHASIS: Final = ("b", "strong", "i", "em", "img")
"""Marks inside a value (`**12** EUR`) are in the way of finding it; images hold no text."""


def read_text(path: Path) -> str:
    """The text of a file, by its suffix. Blocking: a large PDF takes seconds.

    Raises:
        ConfigError: The extra that reads such files is not installed.
        InputError: It is not there, too large, not what its suffix says, or holds no text.
    """
    if (suffix := path.suffix.lower()) not in TEXT_SUFFIXES:
        raise InputError(
            f"{path.name!r}: no document of a kind that is read; there are "
            f"{', '.join(TEXT_SUFFIXES)}; make one of these of it first"
        )
    raw = _bytes_of(path)
    text = TEXT_SUFFIXES[suffix](raw, path.name)
    if not text.strip():
        raise InputError(f"{path.name!r} ({len(raw):,} bytes) holds no text{_WHY.get(suffix, '')}")
    return text


_WHY: Final = {".pdf": "; a scan needs text recognition (OCR) first"}


def check_plain(path: Path) -> int:
    """The size of a plain file; a pipe would keep us waiting.

    Raises:
        InputError: It is not there, or no plain file.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise InputError(f"{path.name!r} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path.name!r} is no plain file")
    return found.st_size


def _bytes_of(path: Path) -> bytes:
    if (size := check_plain(path)) > limits.DOCUMENT_BYTES:
        raise InputError(
            f"{path.name!r} has {size:,} bytes; at most {limits.DOCUMENT_BYTES:,} are read "
            "(limits.DOCUMENT_BYTES)"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name!r} cannot be read: {error.strerror}") from error


def _plain(raw: bytes, name: str) -> str:
    encoding = next((known for mark, known in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name!r} is no {encoding} text: byte {error.start} does not fit; convert it: "
            "iconv -f ITS-ENCODING -t utf-8"
        ) from error
    if "\0" in text:
        raise InputError(f"{name!r} is no text: it holds a zero at character {text.index(chr(0))}")
    return text


def _html(raw: bytes, name: str) -> str:
    soup, converter = _html_reader()
    try:
        tree = soup(raw, "lxml")
        for hidden in tree(["script", "style", "template"]):
            hidden.decompose()
        return str(converter.convert_soup(tree)).strip() + "\n"
    except RecursionError as error:
        raise InputError(f"{name!r}: its HTML is nested too deeply to be read") from error
    except Exception as error:  # the libraries' own, on bytes from anywhere
        raise _unreadable(name, "HTML", error) from error


def _pdf(raw: bytes, name: str) -> str:
    reader = _pdf_reader()
    try:
        return "\n\n".join(page.extract_text() for page in reader(raw).pages)
    except RecursionError as error:
        raise InputError(f"{name!r}: its objects are nested too deeply to be read") from error
    except Exception as error:  # the library's own, on bytes from anywhere
        raise _unreadable(name, "PDF", error) from error


def _unreadable(name: str, kind: str, error: Exception) -> InputError:
    why = type(error).__name__
    lock = "NotDecrypted" in why or "Dependency" in why
    hint = "; it is encrypted: take the password off first" if lock else ""
    return InputError(f"{name!r} cannot be read as {kind} ({why}){hint}")


def _html_reader() -> tuple[Callable[..., Any], Any]:
    """The one place where BeautifulSoup, lxml and markdownify are imported."""
    from importlib import import_module  # noqa: PLC0415  beside them: lxml has no types

    try:
        from bs4 import BeautifulSoup  # noqa: PLC0415  an extra
        from markdownify import MarkdownConverter  # noqa: PLC0415

        import_module("lxml")  # the parser: it closes what pages leave open
    except ModuleNotFoundError as error:
        raise missing_extra(error, "HTML", "documents") from error
    converter = MarkdownConverter(
        heading_style="ATX",
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        strip=list(_EMPHASIS),
    )
    return BeautifulSoup, converter


def _pdf_reader() -> Callable[[bytes], Any]:
    """The one place where pypdf is imported."""
    import io  # noqa: PLC0415  beside it
    import logging  # noqa: PLC0415

    try:
        from pypdf import PdfReader  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise missing_extra(error, "PDF", "documents") from error
    log = logging.getLogger("pypdf")
    if log.level == logging.NOTSET:
        log.setLevel(logging.ERROR)  # it tells of every oddity it gets over
    return lambda raw: PdfReader(io.BytesIO(raw))


def missing_extra(error: ModuleNotFoundError, kind: str, extra: str) -> ConfigError:
    """What to install to read or write such files."""
    return ConfigError(f"{kind} needs {error.name!r}; run: pip install 'toolstone[{extra}]'")


TEXT_SUFFIXES: Final[dict[str, Callable[[bytes, str], str]]] = {
    ".txt": _plain,
    ".text": _plain,
    ".log": _plain,
    ".md": _plain,
    ".markdown": _plain,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
"""What is read as one document, and how."""
