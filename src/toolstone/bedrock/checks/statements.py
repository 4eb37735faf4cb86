"""The IAM statement to attach, for what a caller wants to do at an endpoint. Pure.

Account ids are written `*`: a statement can be attached as it stands, and names nobody.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from toolstone.bedrock.dialect import Dialect
    from toolstone.bedrock.endpoint import Endpoint

__all__ = ["feature_of", "statement"]

_ANYWHERE: Final = frozenset({"api_key", "catalogue", "first_use", "retention", "web_search"})
"""Features whose actions are on no project."""


def statement(feature: str, endpoint: Endpoint, dialect: Dialect) -> str:
    """The statement as one line of JSON.

    Args:
        feature: A row of the dialect's `iam` table, such as `respond` or `cancel`.
        endpoint: Where it is to be allowed.
        dialect: What is known of Bedrock.
    """
    resources = ["*"] if feature in _ANYWHERE else _resources(feature, endpoint)
    said = {
        "Effect": "Allow",
        "Action": list(dialect.actions(feature, endpoint.host)),
        "Resource": resources[0] if len(resources) == 1 else resources,
    }
    return json.dumps(said)


def feature_of(action: str, endpoint: Endpoint, dialect: Dialect) -> str:
    """The feature that an action belongs to; `respond` if the table does not know it."""
    features: dict[str, object] = dialect.data["iam"]
    known = (name for name in features if action in dialect.actions(name, endpoint.host))
    return next(known, "respond")


def _resources(feature: str, end: Endpoint) -> list[str]:
    partition = {"us-gov": "aws-us-gov", "cn": "aws-cn", "eusc": "aws-eusc"}
    start = next((p for p in partition if end.region.startswith(f"{p}-")), "")
    arn, region = f"arn:{partition.get(start, 'aws')}", end.region or "*"
    if end.host == "mantle":
        return [f"{arn}:bedrock-mantle:{region}:*:project/{end.project or 'default'}"]
    project = f"{arn}:bedrock:{region}:*:project/default"
    if feature != "respond":
        return [project]
    if end.model.startswith("arn:"):
        return [end.model, project]
    profile = f"{arn}:bedrock:{region}:*:inference-profile/{end.model}"
    return [profile, f"{arn}:bedrock:*::foundation-model/{end.bare}", project]
