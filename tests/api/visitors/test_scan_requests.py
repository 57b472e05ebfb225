"""Signed scans over HTTP: each request is heard once, though its nonce is kept with the scan (decision 0037)."""

import asyncio

import orjson
import pytest

from backend.kernel.auth import Nonce
from backend.kernel.errors import Unauthenticated
from backend.kernel.resources import Resources
from backend.visitors import gate_device, scanning
from tests import factories_gates
from tests.conftest import Client, Run, signed
from tests.factories_devices import Device
from tests.factories_gates import Grounds
from tests.factories_payments import sound

SCANS = "/device/v1/visitor-scans"
REVOKE = "UPDATE device SET revoked_at = $2 WHERE id = $1"


@pytest.fixture
def at(res: Resources, run: Run) -> Grounds:
    return run(factories_gates.grounds(res))


def _request(at: Grounds, gate: Device, text: str, *, key: str = "one") -> tuple[bytes, dict[str, str]]:
    """Body and headers of a signed scan."""
    body = orjson.dumps({"key": key, "token": text})
    return body, {"Authorization": signed(gate.token, "POST", SCANS, body, at=at.res.clock.now())}


@pytest.mark.parametrize("usual", [True, False])
async def test_fifty_replays_of_a_scan_at_once_let_one_in(at: Grounds, client: Client, usual: bool) -> None:
    """By the short way, and by the long one that a token takes whose signature is not right."""
    text = await at.text(await at.invite(entries=9))
    body, headers = _request(at, at.east, text if usual else text[:-4] + "AAAA")
    answers = await asyncio.gather(*(client.call("POST", SCANS, raw=body, headers=headers) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 49
    assert {answer.code for answer in answers if answer.status == 401} == {"replayed"}
    assert await at.res.db.fetchval("SELECT sum(entries_used) FROM visitor_pass") == usual
    assert await at.res.db.fetchval("SELECT count(*) FROM device_event") == 1
    await sound(at.res)


async def test_a_nonce_that_another_scan_has_used_opens_for_nobody(at: Grounds) -> None:
    """As when another process has heard it: the statement by which the pass is used fails."""
    gate = scanning.Gate(at.east.id, at.place.id)
    texts = [await at.text(await at.invite()) for _ in range(2)]
    for key, text in zip("ab", texts, strict=True):
        nonce = Nonce(at.east.id, "n" * 16)
        scan = scanning.at_gate(at.res.db, gate, scanning.Scan(key, text), keyring=at.res.keyring, nonce=nonce)
        if key == "a":
            assert (await scan).open
        else:
            with pytest.raises(Unauthenticated) as caught:
                await scan
            assert caught.value.code == "replayed"
    assert await at.res.db.fetchval("SELECT sum(entries_used) FROM visitor_pass") == 1


async def test_a_repeat_under_a_new_nonce_is_told_the_same(at: Grounds, client: Client) -> None:
    text = await at.text(await at.invite(entries=9))
    for _ in range(2):
        body, headers = _request(at, at.east, text)
        assert (await client.call("POST", SCANS, raw=body, headers=headers)).json["entries_left"] == 8
    assert await at.res.db.fetchval("SELECT count(*) FROM device_nonce") == 2


async def test_what_is_refused_as_nonsense_spends_no_nonce(at: Grounds, client: Client) -> None:
    body = b'{"key": "one"}'
    headers = {"Authorization": signed(at.east.token, "POST", SCANS, body, at=at.res.clock.now())}
    for _ in range(2):
        assert (await client.call("POST", SCANS, raw=body, headers=headers)).status == 422
    assert await at.res.db.fetchval("SELECT count(*) FROM device_nonce") == 0


async def test_a_gate_that_was_revoked_a_moment_ago_opens_for_nobody(at: Grounds, client: Client) -> None:
    """The registry of this process still knows the gate: the scan itself does not."""
    shown = [await at.text(await at.invite()) for _ in range(2)]
    body, headers = _request(at, at.east, shown[0])
    assert (await client.call("POST", SCANS, raw=body, headers=headers)).json["open"]
    await at.res.db.execute(REVOKE, at.east.id, at.res.clock.now())
    body, headers = _request(at, at.east, shown[1], key="two")
    assert (await client.call("POST", SCANS, raw=body, headers=headers)).status == 401
    assert await at.res.db.fetchval("SELECT sum(entries_used) FROM visitor_pass") == 1


async def test_an_answer_that_has_not_kept_its_nonce_does_not_leave(
    at: Grounds, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgets(*_args: object, **_more: object) -> scanning.Verdict:
        return scanning.Verdict(True, None, scanning.OPENS)

    monkeypatch.setattr(gate_device.scanning, "at_gate", forgets)
    body, headers = _request(at, at.east, await at.text(await at.invite()))
    answer = await client.call("POST", SCANS, raw=body, headers=headers)
    assert (answer.status, answer.code) == (500, "internal")
