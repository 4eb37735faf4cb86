"""Who asks: a key that is sent, and shown to nobody."""

import copy
import pickle

import pytest

from toolstone.errors import ConfigError
from toolstone.wire import Auth, BearerAuth, NoAuth

KEY = "sk-canary-0123456789"
ASKED = ("POST", "https://x.example", {}, b"")


async def test_both_are_auths():
    assert isinstance(BearerAuth(KEY), Auth)
    assert isinstance(NoAuth(), Auth)


async def test_a_key_becomes_a_header():
    async def slow():
        return KEY

    for source in (KEY, lambda: KEY, slow):
        assert await BearerAuth(source).headers(*ASKED) == {"authorization": f"Bearer {KEY}"}


async def test_nobody_says_nothing_and_learns_nothing():
    assert await NoAuth().headers(*ASKED) == {}
    assert await NoAuth().learn(401, {}) is False


async def test_only_a_function_may_have_a_new_key_and_only_after_a_401():
    assert await BearerAuth(KEY).learn(401, {}) is False
    assert await BearerAuth(lambda: KEY).learn(401, {}) is True
    assert await BearerAuth(lambda: KEY).learn(403, {}) is False


@pytest.mark.parametrize(
    "key", ["", " ", f"{KEY}\n", f" {KEY}", f"{KEY} x", "kéy", "a\0b", None, 7]
)
async def test_a_key_that_cannot_be_is_told_without_being_shown(key):
    with pytest.raises(ConfigError) as caught:
        await BearerAuth(lambda: key).headers(*ASKED)

    assert KEY not in str(caught.value)


def test_a_key_is_in_no_repr_pickle_or_copy():
    auth = BearerAuth(KEY)

    assert KEY not in repr(auth) + str(auth) + format(auth)
    assert not hasattr(auth, "__dict__")
    for forbidden in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a key"):
            forbidden(auth)
