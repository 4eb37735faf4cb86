"""The endpoint as Amazon Bedrock's hosts: their paths, gates, errors, keys, quotas and habits."""

from toolstone.local.profiles.account import Account, Allowance, Statement
from toolstone.local.profiles.habits import ALWAYS, Habits
from toolstone.local.profiles.loopback import LoopbackTransport
from toolstone.local.profiles.profile import HostProfile

__all__ = [
    "ALWAYS",
    "Account",
    "Allowance",
    "Habits",
    "HostProfile",
    "LoopbackTransport",
    "Statement",
]
