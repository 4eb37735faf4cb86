"""The contract must be able to fail."""

import pytest

from toolstone import MemoryLedger
from toolstone.testing import check_ledger


class NoConflicts(MemoryLedger):
    async def append(self, session, records):
        self._sessions.setdefault(session, []).extend(records)


class Forgets(MemoryLedger):
    async def load(self, session):
        return (await super().load(session))[:1]


class MixesSessions(MemoryLedger):
    async def append(self, session, records):
        kept = self._sessions.setdefault("all", [])
        kept.extend(records)

    async def load(self, session):
        return tuple(self._sessions.get("all", ()))


@pytest.mark.parametrize("broken", [NoConflicts, Forgets, MixesSessions])
async def test_a_broken_ledger_does_not_pass(broken):
    with pytest.raises(AssertionError, match=r"\w"):
        await check_ledger(broken())
