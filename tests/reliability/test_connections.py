"""Block H, the rest: redirects, certificates, pools; nothing goes where it was not sent."""

import asyncio
import ssl
from datetime import UTC, datetime

import pytest
from toolstone_meeting import KEY, PROMPT, Meeting

from toolstone.errors import StatusError, TransportError
from toolstone.testing.faults import faults
from toolstone.wire import Retry

DOORS = pytest.mark.parametrize("door", ["plain", "streamed"])


def posts(peer):
    return [met.method for met in peer.met]


@DOORS
@pytest.mark.parametrize("scenario", ["H36-307", "H36-308", "H37-301", "H37-302", "H38"])
async def test_h36_a_redirect_is_asked_once_and_followed_nowhere(scenario, door, meet):
    error = await meet(scenario).ask(door)

    assert (type(error), posts(meet.peer)) == (StatusError, ["POST"])
    assert meet.peer.strayed == 0
    assert "secret" not in str(error)


async def test_h36_a_client_that_follows_would_be_seen(peer):
    """The alarm's own test: prompt and key do reach the other origin of a careless client."""
    import httpx

    async with httpx.AsyncClient(follow_redirects=True, timeout=0.2) as careless:
        with pytest.raises(httpx.TimeoutException):
            await careless.post(f"{peer.base_url('H36-307')}/responses", content=PROMPT)

    assert peer.strayed == 1


@pytest.mark.parametrize("scenario", ["H35-nul", "H35-cr", "H35-fold", "H34-many", "H23"])
@DOORS
async def test_h35_nothing_of_a_strange_answer_reaches_a_log_as_a_line(
    scenario, door, meet, caplog
):
    caplog.set_level(1)
    await meet(scenario).ask(door)

    ours = [r.getMessage() for r in caplog.records if r.name.startswith("toolstone")]
    assert not [text for text in ours if "\n" in text or "\r" in text or "\0" in text]
    assert KEY not in caplog.text


# ---------------------------------------------------------------------------------- certificates


@pytest.fixture(scope="module")
def authority():
    import trustme

    return trustme.CA()


def served_by(authority, *names, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)
    return context


@pytest.fixture
def trusting(authority, tmp_path, transport):
    """The transport, made to trust the authority."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return lambda: transport(verify=str(path))


@pytest.mark.parametrize("fault", ["self-signed", "expired", "another host"])
@DOORS
async def test_h40_a_certificate_that_cannot_be_trusted_is_final(
    fault, door, authority, trusting, transport
):
    names = ["elsewhere.example"] if fault == "another host" else ["localhost"]
    past = {"not_after": datetime(2020, 1, 1, tzinfo=UTC)} if fault == "expired" else {}
    carrier = transport if fault == "self-signed" else trusting
    with faults(tls=served_by(authority, *names, **past)) as peer:
        error = await Meeting(peer, peer.base_url("H40"), carrier).ask(door)

    assert type(error) is TransportError, repr(error)
    assert (error.phase, error.retryable, error.attempts, peer.met) == ("connect", False, 1, [])
    assert "TLS failed" in str(error)
    assert not [word for word in ("verify=False", "disable", "insecure") if word in str(error)]


@DOORS
async def test_h39_a_redirect_from_https_to_http_is_not_followed(door, authority, trusting):
    with faults(tls=served_by(authority, "localhost")) as peer:
        error = await Meeting(peer, peer.base_url("H39"), trusting).ask(door)

    assert (type(error), error.status, posts(peer)) == (StatusError, 307, ["POST"])
    assert "http://localhost" in str(error)


# ----------------------------------------------------------------------------------------- pools


@DOORS
async def test_h42_a_connection_that_has_died_meanwhile_is_made_again(door, meet):
    met = meet("H42")
    answers = [await met.ask(door) for _ in range(4)]

    assert [a.status for a in answers] == ["completed"] * 4
    assert [len(a.notes) for a in answers] == [0, 1, 1, 1]


async def test_h43_a_thousand_requests_over_ten_connections_with_losses(peer, transport):
    met = Meeting(
        peer,
        peer.base_url("H43"),
        lambda: transport(connections=10),
        retry=Retry(attempts=10, wait=0.001, wait_max=0.001),
    )
    met.model.quota.left = 10**6  # its own tests bound it; here everything is to come through
    numbers, answers = iter(range(1000)), []

    async def worker():
        answers.extend([await met.ask() for _ in numbers])

    await asyncio.gather(*(worker() for _ in range(20)))

    assert {type(a).__name__ for a in answers} == {"Response"}
    assert sum(len(a.notes) for a in answers) == len(peer.met) - 1000 > 40
    assert (await met.ask()).status == "completed"
