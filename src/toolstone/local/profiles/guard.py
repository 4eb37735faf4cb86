"""Who is at the door, and may they do this: each refusal in the words of the host."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from toolstone._dataclass import dataclass
from toolstone.bedrock.verify import Asked, Caller, Fault, VerifyError
from toolstone.local.brain import RefusalError
from toolstone.local.profiles.account import Account, Bearer
from toolstone.local.profiles.observed import Observed, Where
from toolstone.local.profiles.routes import Found

__all__ = ["Guard", "Visit"]

_OF_CREDENTIALS: tuple[Fault, ...] = ("unknown", "session", "expired", "malformed")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that came in: where, what for, and by whom."""

    where: Where
    found: Found
    asked: Asked = field(repr=False)
    caller: Caller | None = None
    project: str = "default"

    @property
    def scope(self) -> tuple[str, str, str]:
        """Where stored things of this request belong."""
        return (self.where.kind, self.where.region, self.project)


class Guard:
    """Checks signatures, keys, projects and policies.

    Args:
        known: The data file.
        account: Who may do what.
        verify: Tells who sent a request.
    """

    def __init__(
        self, known: Observed, account: Account, verify: Callable[[Asked], Caller]
    ) -> None:
        self._known = known
        self._account = account
        self._verify = verify
        self._actions: Mapping[str, Mapping[str, Any]] = {
            row["host"]: row for row in known.data["action"]
        }

    def admit(self, where: Where, found: Found, asked: Asked) -> Visit:
        """Let somebody in.

        Raises:
            RefusalError: Nobody we know, a project we do not know, or no permission to use a key.
        """
        if where.kind == "openai":
            self._check_openai(asked)
            return Visit(where, found, asked)
        try:
            caller = self._verify(asked)
        except VerifyError as error:
            raise self._stranger(where, error) from None
        visit = Visit(where, found, asked, caller, self._project(where, asked, caller))
        if caller.kind != "signature":
            self.check_action(visit, self._actions[where.kind]["bearer"], resource="*")
        return visit

    def check_route(self, visit: Visit) -> None:
        """Check the permission that a route needs.

        Raises:
            RefusalError: No policy allows it.
        """
        if visit.caller is None:
            return
        row = self._actions[visit.where.kind]
        self.check_action(visit, row["routes"][visit.found.name], resource=self._resource(visit))

    def check_model(self, visit: Visit, model: str, *, streamed: bool) -> None:
        """Check the permission to ask a model on runtime: on it, and on the default project.

        Raises:
            RefusalError: No policy allows it. Whichever is missing, the message names the model.
        """
        if visit.caller is None or visit.where.kind != "runtime":
            return
        row = self._actions["runtime"]
        on_model = self._filled(row["model_resource"], visit, model)
        action = "InvokeModelWithResponseStream" if streamed else "InvokeModel"
        self.check_action(visit, action, resource=on_model)
        on_project = self._resource(visit)
        self.check_action(visit, "InvokeModel", resource=on_project, named=on_model)

    def check_action(
        self, visit: Visit, action: str, *, resource: str, named: str | None = None
    ) -> None:
        """Check one action; `aws-marketplace:Subscribe` has its service with it, others have not.

        Raises:
            RefusalError: No policy allows it.
        """
        row = self._actions[visit.where.kind]
        whole = action if ":" in action else f"{row['service']}:{action}"
        if not self._account.may(whole, resource, _bearer(visit)):
            raise self.denied(visit, whole, named or resource)

    def denied(self, visit: Visit, action: str, resource: str) -> RefusalError:
        """Make the answer to what no policy allows."""
        row = "access_denied" if visit.where.kind == "mantle" else "runtime_access_denied"
        user = visit.caller.user if visit.caller else ""
        return self._known.refuse(row, user=user, action=action, resource=resource)

    def _resource(self, visit: Visit) -> str:
        return self._filled(self._actions[visit.where.kind]["resource"], visit, "")

    def _filled(self, pattern: str, visit: Visit, model: str) -> str:
        account = visit.caller.account if visit.caller else ""
        region = visit.where.region
        return pattern.format(region=region, account=account, project=visit.project, model=model)

    def _stranger(self, where: Where, error: VerifyError) -> RefusalError:
        if where.kind == "mantle":
            return self._known.refuse("bad_token")
        if error.kind != "signature":
            return self._known.refuse("runtime_bad_key")
        credentials = error.fault in _OF_CREDENTIALS
        row = "runtime_bad_credentials" if credentials else "runtime_bad_signature"
        return self._known.refuse(row)

    def _project(self, where: Where, asked: Asked, caller: Caller) -> str:
        row = self._known.data["projects"]
        given = next(iter(asked.values(row["header"])), row["default"])
        known = {row["default"], *(self._account.projects if where.kind == "mantle" else ())}
        if where.kind == "runtime":
            arn = self._actions["runtime"]["resource"]
            known.add(arn.format(region=where.region, account=caller.account))
        if given not in known:
            raise self._known.refuse("project_unknown")
        return given if where.kind == "mantle" else row["default"]

    def _check_openai(self, asked: Asked) -> None:
        scheme, _, key = next(iter(asked.values("authorization")), "").partition(" ")
        known = [each.key for each in self._account.api_keys]
        good = key in known if known else key.startswith("sk-")
        if scheme.lower() != "bearer" or not good:
            message = "Incorrect API key provided."
            raise RefusalError(401, "invalid_api_key", message, kind="invalid_request_error")


def _bearer(visit: Visit) -> Bearer | None:
    kinds: Mapping[str, Bearer] = {"short-term": "SHORT_TERM", "long-term": "LONG_TERM"}
    return kinds.get(visit.caller.kind) if visit.caller else None
