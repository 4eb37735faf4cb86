"""The AWS credential chain by botocore, with little patience for machines that do not answer.

botocore asks the endpoint of a container three times, two seconds each with pauses in between, and
then ends the search; an instance's it asks twice, a second each. Here neither takes longer than
`limits.BEDROCK_METADATA_SECONDS`, and a machine that cannot be reached has no credentials: the next
is asked. One that answers and refuses ends the search all the same: the environment has said whose
credentials ours should be, and another identity would be a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone import limits

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

__all__ = ["find_credentials"]

_MARGIN: Final = 0.1
"""Seconds kept back of the limit, for all that is not waiting."""


def find_credentials(profile: str | None) -> Any:
    """What the chain finds: credentials of botocore's, which refresh themselves; None for none.

    Args:
        profile: The profile to take; `AWS_PROFILE` or the default one unless given.
    """
    from botocore.session import Session  # noqa: PLC0415  at first need: 150 ms

    session: Any = Session(profile=profile)
    seconds = limits.BEDROCK_METADATA_SECONDS - _MARGIN
    chain = session.get_component("credential_provider")
    for ours in (_Container(seconds), _instance(session, seconds)):
        chain.insert_after(ours.METHOD, ours)
        chain.remove(ours.METHOD)  # the first of this name, which is botocore's
    return session.get_credentials()


def _instance(session: Any, seconds: float) -> Any:
    """The provider for EC2 as botocore makes it, but for the time, if nobody has set that."""
    from botocore.credentials import InstanceMetadataProvider  # noqa: PLC0415  at first need
    from botocore.utils import (  # noqa: PLC0415
        DEFAULT_METADATA_SERVICE_TIMEOUT,
        InstanceMetadataFetcher,
        resolve_imds_endpoint_mode,
    )

    told = session.get_config_variable
    wait: Any = told("metadata_service_timeout")
    if wait == DEFAULT_METADATA_SERVICE_TIMEOUT:
        wait = seconds / 2  # it waits twice
    fetcher = InstanceMetadataFetcher(
        timeout=wait,
        num_attempts=told("metadata_service_num_attempts"),
        user_agent=session.user_agent(),
        config={
            "ec2_metadata_service_endpoint": told("ec2_metadata_service_endpoint"),
            "ec2_metadata_service_endpoint_mode": resolve_imds_endpoint_mode(session),
            "ec2_metadata_v1_disabled": told("ec2_metadata_v1_disabled"),
        },
    )
    return InstanceMetadataProvider(iam_role_fetcher=fetcher)


class _UnreachableError(Exception):
    """The container's endpoint does not answer."""


class _Container:
    """botocore's provider for ECS and EKS, which finds nothing where nobody answers."""

    METHOD = "container-role"
    CANONICAL_NAME = "EcsContainer"

    def __init__(self, seconds: float) -> None:
        from botocore.credentials import ContainerProvider  # noqa: PLC0415  at first need
        from botocore.utils import ContainerMetadataFetcher  # noqa: PLC0415

        session: Any = _Session(seconds)
        fetcher: Any = ContainerMetadataFetcher(session)
        self._provider = ContainerProvider(fetcher=fetcher)

    def load(self) -> Any:
        """Credentials; None if this is no container, or its endpoint cannot be reached."""
        try:
            return self._provider.load()
        except _UnreachableError:
            return None


class _Session:
    """An HTTP session of botocore's that does not try again to reach who cannot be reached."""

    def __init__(self, seconds: float) -> None:
        from botocore.httpsession import URLLib3Session  # noqa: PLC0415  at first need

        wait: Any = seconds  # the stubs want an int
        self._session: Any = URLLib3Session(timeout=wait)

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request; whatever is answered is an answer."""
        from botocore import exceptions  # noqa: PLC0415  at first need

        try:
            answer: AWSResponse = self._session.send(request)
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            raise _UnreachableError(
                f"the container's credential endpoint cannot be reached ({type(error).__name__})"
            ) from error
        return answer
