"""Our frozen classes do what those of the standard library do."""

import copy
import dataclasses
import pickle

import pytest

from toolstone import _dataclass


def pair(name="Point", *, make=_dataclass.dataclass, **options):
    """A class with three fields, one of them not compared, one not shown."""

    class Made:
        """Made."""

        a: int
        b: int = dataclasses.field(default=2, compare=False)
        c: tuple = dataclasses.field(default=(), repr=False)

    Made.__name__, Made.__qualname__ = name, name
    return make(frozen=True, slots=True, **options)(Made)


OURS, THEIRS = pair(), pair(make=dataclasses.dataclass)


@pytest.mark.parametrize("made", [OURS, THEIRS])
def test_it_compares_hashes_and_shows_its_fields(made):
    one = made(1, 5, (3,))

    assert one == made(1, 6, (3,))
    assert one != made(1, 5, (4,))
    assert one != (1, (3,))
    assert hash(one) == hash(made(1, 6, (3,))) == hash((1, (3,)))
    assert repr(one) == "Point(a=1, b=5)"


def test_two_classes_of_the_same_fields_are_never_equal():
    assert OURS(1) != THEIRS(1)
    assert OURS(1).__eq__(THEIRS(1)) is NotImplemented


@pytest.mark.parametrize("made", [OURS, THEIRS])
def test_it_is_frozen_and_can_be_replaced_and_copied(made):
    one = made(1)

    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'a'"):
        one.a = 2
    assert dataclasses.replace(one, a=2) == made(2)
    assert copy.deepcopy(one) == one
    assert made.__match_args__ == ("a", "b", "c")


@_dataclass.dataclass(frozen=True, slots=True)
class Node:
    """May hold itself."""

    inside: list


def test_what_holds_itself_can_be_shown():
    node = Node([])
    node.inside.append(node)

    assert repr(node) == "Node(inside=[...])"


def test_it_can_be_pickled():
    assert pickle.loads(pickle.dumps(Node([1]))) == Node([1])


def test_methods_of_its_own_stay():
    @_dataclass.dataclass(frozen=True, slots=True)
    class Odd:  # noqa: PLW1641  it gets one
        a: int

        def __eq__(self, other):
            return True

        def __repr__(self):
            return "odd"

    assert (Odd(1) == 3, repr(Odd(1)), hash(Odd(1)) == hash(1)) == (True, "odd", True)


def test_by_identity_if_so_wished():
    made = pair(eq=False)

    assert made(1) != made(1)
    assert hash(made(1)) != hash((1, ()))


def test_a_class_that_can_be_changed_is_the_standard_librarys():
    @_dataclass.dataclass(slots=True)
    class Open:
        a: int

    one = Open(1)
    one.a = 2
    assert (one, repr(one)) == (Open(2), f"{Open.__qualname__}(a=2)")
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
