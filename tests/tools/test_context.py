import threading
from dataclasses import FrozenInstanceError

import pytest

from toolstone.errors import RunCancelled
from toolstone.items import CallKey
from toolstone.tools import BudgetLeft, CancelToken, ToolContext


def test_a_token_is_requested_once_and_for_all():
    token = CancelToken()
    token.check()
    assert not token.requested

    token.cancel()
    token.cancel()

    assert token.requested
    with pytest.raises(RunCancelled):
        token.check()


def test_a_child_is_requested_with_its_parent_and_not_the_other_way():
    parent = CancelToken()
    child, other = CancelToken(parent), CancelToken(parent)

    child.cancel()
    assert (parent.requested, child.requested, other.requested) == (False, True, False)
    parent.cancel()
    assert other.requested
    assert repr(other) == "<CancelToken requested>"


def test_who_listens_is_told_once():
    token, told = CancelToken(), []
    token.when_cancelled(lambda: told.append("kept"))
    forget = token.when_cancelled(lambda: told.append("forgotten"))
    forget()
    threading.Thread(target=token.cancel).start()
    for _ in range(1000):
        if token.requested and told:
            break
        threading.Event().wait(0.005)
    token.when_cancelled(lambda: told.append("late"))()

    assert told == ["kept", "late"]


def test_a_context_is_frozen_and_quiet():
    context = ToolContext("run", CallKey(1, 2), {"secret": 1}, budget=BudgetLeft(tokens=5))

    context.progress("nobody listens")
    assert context.budget == BudgetLeft(requests=None, tokens=5, seconds=None, dollars=None)
    with pytest.raises(FrozenInstanceError):
        context.run = "other"


def test_a_token_tells_its_listeners_when_its_parent_is_cancelled_and_tells_once():
    parent = CancelToken()
    child, told = CancelToken(parent), []
    child.when_cancelled(lambda: told.append(1))
    take_back = CancelToken(parent).when_cancelled(lambda: told.append(2))
    take_back()
    parent.cancel()
    child.cancel()
    assert told == [1]
    child.when_cancelled(lambda: told.append(3))
    assert told == [1, 3]
