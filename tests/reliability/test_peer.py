"""The fault peer itself: how scenarios are picked, counted, and what is said of them."""

import json
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from toolstone.errors import ConfigError, InputError
from toolstone.testing.faults import SCENARIOS, Faults, faults


def post(url, **body):
    return httpx.post(f"{url}/responses", json=body)


def port_of(peer):
    return int(peer.origin.rpartition(":")[2])


def test_a_scenario_is_picked_by_the_path_or_else_by_the_models_name(peer):
    plain = f"{peer.origin}/v1"

    assert post(peer.base_url("H18-503")).status_code == 503
    assert post(f"{peer.origin}/H19-404/v1").status_code == 404
    assert post(plain, model="H18-502").status_code == 502
    assert post(plain, model="faults/H18-504").status_code == 504
    assert post(peer.base_url("H18-503"), model="H18-502").status_code == 503
    assert post(plain, model="none").json()["error"]["code"] == "not_found"


def test_so_many_requests_meet_the_fault_and_each_base_url_counts_its_own(peer):
    first, second = (peer.base_url("H18-500", times=2) for _ in range(2))

    assert [post(first).status_code for _ in range(4)] == [500, 500, 200, 200]
    assert post(second).status_code == 500
    named = f"{peer.origin}/v1"
    assert [post(named, model="H18-500.1").status_code for _ in range(2)] == [500, 200]


def test_a_scenario_that_is_not_there_is_told_with_those_near_it(peer):
    with pytest.raises(InputError, match="H18-503"):
        peer.base_url("H18-505")


def test_what_came_is_noted(peer):
    url = peer.base_url("H19-400")
    httpx.post(f"{url}/responses?x=1", json={"input": "hi"}, headers={"X-Key": "secret"})

    (met,) = peer.met
    assert (met.method, met.json) == ("POST", {"input": "hi"})
    assert met.target == f"{url.removeprefix(peer.origin)}/responses?x=1"
    assert met.headers["x-key"] == "secret"
    assert "secret" not in repr(met)
    assert met.gone.wait(5)
    assert met.sent > 0
    assert peer.connections == 1


def test_its_scenarios_are_listed_as_models(peer):
    found = httpx.get(f"{peer.origin}/v1/models").json()["data"]

    assert [one["id"] for one in found] == sorted(SCENARIOS)


def test_nothing_is_left_when_it_stops():
    before = set(threading.enumerate())
    with faults() as peer, socket.create_connection(("127.0.0.1", port_of(peer))) as idle:
        assert post(peer.base_url("H44")).status_code == 200
        idle.send(b"POST /H10/v1/responses HTTP/1.1\r\n\r\n")
        assert idle.recv(10)
        port = port_of(peer)
    assert set(threading.enumerate()) == before
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "", "::"])
def test_it_listens_on_loopback_alone(host):
    with pytest.raises(ConfigError, match="loopback"):
        Faults(host=host)


def test_an_address_that_is_taken_is_a_config_error(peer):
    with pytest.raises(ConfigError, match="free port"):
        Faults(port=port_of(peer))


def test_a_process_of_its_own_says_where_it_is_and_stops_when_told():
    command = [sys.executable, "-m", "toolstone.testing.faults"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        said = json.loads(process.stdout.readline())
        assert httpx.post(f"{said['base_url']}/H18-503/v1/responses").status_code == 503
        with pytest.raises(httpx.ConnectError):
            httpx.post(f"{said['refused']}/v1/responses")
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.read()
    done = subprocess.run([*command, "--host", "192.0.2.1"], capture_output=True, text=True)
    assert (done.returncode, "loopback" in done.stderr) == (1, True)


def test_the_command_line_serves_it_too():
    command = [sys.executable, "-m", "toolstone", "serve", "--faults"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as process:
        said = json.loads(process.stdout.readline())
        assert httpx.post(f"{said['base_url']}/H18-503/v1/responses").status_code == 503
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.read()
    done = subprocess.run([*command, "--to", "openai/x"], capture_output=True, text=True)
    assert (done.returncode, "--faults" in done.stderr) == (2, True)
