"""A disk that is remembered write by write, and can be put together as a power cut leaves it.

SQLite is given a VFS that hands everything to its own and notes what is written, synced, cut off
and deleted. After a cut only what was synced is sure to be there. Of the rest each sector may have
arrived or not, in any order; the size of a file may be the old one or the new one.
"""

from __future__ import annotations

import ctypes
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

SECTOR: Final = 512
_OK: Final = 0
_CREATE: Final = 0x4
_JOURNALS: Final = 0x800 | 0x80000  # a rollback journal, a write-ahead log
_POINTER: Final = ctypes.c_void_p
_OPEN: Final = ctypes.CFUNCTYPE(
    ctypes.c_int,
    *(_POINTER, _POINTER, _POINTER, ctypes.c_int, ctypes.POINTER(ctypes.c_int)),
)
_DELETE: Final = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_char_p, ctypes.c_int)
_WRITE: Final = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64)
_TRUNCATE: Final = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int64)
_SYNC: Final = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int)
_METHODS: Final = 19  # pointers of sqlite3_io_methods, the version counted as one


class _Vfs(ctypes.Structure):
    """The head of `sqlite3_vfs`, and the rest of its pointers."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("data", _POINTER),
        ("open", _POINTER),
        ("delete", _POINTER),
        ("rest", _POINTER * 14),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """What was asked: `write`, `cut`, `sync`, `delete`, `directory` (synced); or `kept`, ours."""

    what: str
    name: str = ""
    place: int = 0
    data: bytes = b""


class Recorder:
    """Notes what SQLite asks of the disk, in this process, from now on."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._names: dict[int, str] = {}
        self._new: set[int] = set()
        self._originals: dict[int, Any] = {}
        self._alive: list[Any] = []
        library = self._library = _library()
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self._own = library.sqlite3_vfs_find(None)
        copy = self._copy = _Vfs.from_buffer_copy(self._own.contents)
        copy.name = b"remembered"
        copy.open = self._callback(_OPEN, self._open)
        copy.delete = self._callback(_DELETE, self._delete)
        self._original_open = _OPEN(self._own.contents.open or 0)
        self._original_delete = _DELETE(self._own.contents.delete or 0)
        if library.sqlite3_vfs_register(ctypes.byref(copy), 1) != _OK:
            raise RuntimeError("SQLite did not take the VFS")

    def stop(self) -> None:
        """Note nothing any more; no file may be open."""
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._copy))
        self._library.sqlite3_vfs_register(self._own, 1)

    def kept(self) -> None:
        """Note that something was acknowledged."""
        self.events.append(Event("kept"))

    def _callback(self, kind: Any, function: Any) -> int:
        made = kind(function)
        self._alive.append(made)
        return int(ctypes.cast(made, _POINTER).value or 0)

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
        # SQLite keeps the pointer as long as the file is open: it is handed on as it came
        done = self._original_open(ctypes.addressof(self._own.contents), name, file, flags, out)
        slot = _POINTER.from_address(file)
        if done == _OK and slot.value and name:
            self._names[file] = Path(ctypes.string_at(name).decode()).name
            if flags & _CREATE and flags & _JOURNALS:
                self._new.add(file)
            slot.value = self._wrapped(slot.value)
        return int(done)

    def _delete(self, _vfs: int, name: bytes, sync: int) -> int:
        self.events.append(Event("delete", Path(name.decode()).name))
        if sync:
            self.events.append(Event("directory"))
        return int(self._original_delete(ctypes.addressof(self._own.contents), name, sync))

    def _wrapped(self, methods: int) -> int:
        """The methods of a file with ours in the place of three; made once for each kind."""
        if methods not in self._originals:
            table = (_POINTER * _METHODS).from_buffer_copy(
                (_POINTER * _METHODS).from_address(methods)
            )
            write, cut, sync = _WRITE(table[3] or 0), _TRUNCATE(table[4] or 0), _SYNC(table[5] or 0)

            def on_write(file: int, data: int, size: int, place: int) -> int:
                said = ctypes.string_at(data, size)
                self.events.append(Event("write", self._names[file], place, said))
                return int(write(file, data, size, place))

            def on_cut(file: int, size: int) -> int:
                self.events.append(Event("cut", self._names[file], size))
                return int(cut(file, size))

            def on_sync(file: int, flags: int) -> int:
                done = int(sync(file, flags))
                self.events.append(Event("sync", self._names[file]))
                if file in self._new:  # os_unix.c: with a new journal its directory is synced
                    self._new.discard(file)
                    self.events.append(Event("directory"))
                return done

            table[3] = self._callback(_WRITE, on_write)
            table[4] = self._callback(_TRUNCATE, on_cut)
            table[5] = self._callback(_SYNC, on_sync)
            self._originals[methods] = table
        return ctypes.addressof(self._originals[methods])


def _library() -> Any:
    """The SQLite that the module `sqlite3` uses.

    Raises:
        OSError: It is part of the interpreter, and cannot be reached from outside.
    """
    sqlite3.connect(":memory:").close()
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "libsqlite3" in line:
            return ctypes.CDLL(line.split()[-1])
    raise OSError("SQLite is linked into the interpreter; its VFS cannot be reached")


def rebuild(events: Sequence[Event], folder: Path, chance: random.Random) -> None:
    """Write the files as the power's end after these events may leave them."""
    sure = max((n for n, event in enumerate(events) if event.what == "directory"), default=-1)
    for name in sorted({event.name for event in events if event.name}):
        mine = [(n, event) for n, event in enumerate(events) if event.name == name]
        ends = [place for place, (_, event) in enumerate(mine) if event.what == "delete"]
        if ends and ends[-1] == len(mine) - 1:
            if mine[-1][0] < sure or _coin(chance):
                continue
            del mine[-1], ends[-1]  # its end has not reached the directory
        first = ends[-1] + 1 if ends else 0
        (folder / name).write_bytes(_content([event for _, event in mine[first:]], chance))


def _coin(chance: random.Random) -> bool:
    return chance.random() < 0.5  # noqa: PLR2004  heads


def _content(events: Sequence[Event], chance: random.Random) -> bytes:
    synced = max((n for n, event in enumerate(events) if event.what == "sync"), default=-1)
    content = bytearray()
    for event in events[: synced + 1]:
        _apply(content, event, None)
    lucky = chance.choice((0.0, 0.5, 0.9, 1.0))
    late = list(events[synced + 1 :])
    for event in late:
        if chance.random() < lucky:
            torn = chance if _coin(chance) else None
            _apply(content, event, torn)
    return bytes(content)


def _apply(content: bytearray, event: Event, torn: random.Random | None) -> None:
    if event.what == "cut":
        del content[event.place :]
    elif event.what == "write":
        end = event.place + len(event.data)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        for start in range(0, len(event.data), SECTOR):
            if torn is None or _coin(torn):
                part = event.data[start : start + SECTOR]
                content[event.place + start : event.place + start + len(part)] = part
