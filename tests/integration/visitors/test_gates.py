"""Tokens at gates, with a network and without: I-20 of D10, keys that rotate, bundles that miss nothing."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.resources import Resources
from backend.visitors import bans, bundles, codes, gate_handlers, handlers, signing_keys, tokens
from backend.visitors.bans import NewBan
from backend.visitors.states import BanKind
from tests import factories_devices, factories_gates
from tests.conftest import Run
from tests.factories_devices import Device
from tests.factories_gates import Grounds
from tests.factories_payments import sound


@pytest.fixture
def at(res: Resources, run: Run) -> Grounds:
    return run(factories_gates.grounds(res))


async def bundle(at: Grounds, gate: Device, since: str | None = None) -> bundles.Bundle:
    _, given = await bundles.of_gate(
        at.res.db, Actor("device", gate.id), keyring=at.res.keyring, gate_id=gate.id, since=since, have=None,
        at=at.res.clock.now(),
    )  # fmt: skip
    assert given is not None
    return given


async def test_of_a_hundred_guards_who_scan_one_pass_at_once_one_opens(at: Grounds) -> None:
    """I-20; and a gate that repeats itself is told the same again, and nothing is used twice."""
    pass_id = await at.invite(entries=1)
    text = await at.text(pass_id)
    said = await asyncio.gather(*(at.scan((at.east, at.west)[n % 2], text, key=f"scan-{n // 2}") for n in range(100)))
    assert Counter((each.open, each.reason) for each in said) == {(True, None): 1, (False, "used_up"): 99}
    again = await asyncio.gather(*(at.scan((at.east, at.west)[n % 2], text, key=f"scan-{n // 2}") for n in range(100)))
    assert again == said
    rows = await at.res.db.fetch("SELECT way FROM visitor_entry WHERE pass_id = $1", pass_id)
    row = await at.res.db.fetchrow("SELECT state, entries_used FROM visitor_pass WHERE id = $1", pass_id)
    assert [each["way"] for each in rows] == ["token"] and row is not None and tuple(row.values()) == ("USED", 1)
    await sound(at.res)


async def test_a_token_opens_where_and_when_its_pass_does_and_by_nobody_elses_signature(at: Grounds) -> None:
    """Wrong gate, other community, revoked, expired, forged, an old key, a nonce of another pass: the right answer."""
    other = await factories_gates.grounds(at.res, "LL02", company_id=at.place.company_id)
    here = await at.text(await at.invite(entries=None, gates=[at.east]))
    assert (await at.scan(at.east, here)).open
    assert (await at.scan(at.west, here)).reason == "wrong_gate"
    await other.text(await other.invite())
    assert (await other.scan(other.east, here)).reason == "wrong_community"
    forged = tokens.sign(tokens.read(here).claims, Ed25519PrivateKey.generate())
    unknown = tokens.sign(replace(tokens.read(here).claims, key_id=4_000), Ed25519PrivateKey.generate())
    assert [(await at.scan(at.east, text)).reason for text in (forged, unknown, f"{here}=", "不是通行码")] == [
        "bad_signature", "unknown_key", "malformed", "malformed"
    ]  # fmt: skip
    gone = await at.invite()
    text, live = await at.text(gone), (await at.codes_of(gone)).live
    assert len(live) == codes.AHEAD
    at.res.clock.advance(timedelta(minutes=10))
    assert (await at.scan(at.east, live[0].text)).reason == "expired", "a screenshot of ten minutes ago"
    await at.res.db.execute(
        "UPDATE visitor_pass SET token_nonce = substring(sha256(token_nonce) FOR 8) WHERE id = $1", gone
    )
    assert (await at.scan(at.east, text)).reason == "unknown", "of the pass as it was"
    text = await at.text(gone)
    await at.revoke(gone)
    assert (await at.scan(at.east, text)).reason == "revoked"
    assert [each.id for each in (await bundle(at, at.east)).entries] == [gone]
    assert (await bundle(other, other.east)).entries == (), "of another community nothing is told"
    at.res.clock.advance(timedelta(hours=8))
    assert (await at.scan(at.east, here)).reason == "expired"
    camera = await factories_devices.device(at.res, at.place, name="相机")
    with pytest.raises(NotFound):
        await at.scan(camera, here)
    with pytest.raises(NotFound):
        await bundle(at, camera)
    await sound(at.res)


async def test_keys_rotate_with_overlap_and_end(at: Grounds) -> None:
    """The next key is known to gates before it signs; the old one is believed until its last token is over."""
    pass_id = await at.invite(entries=None, hours=24 * 7)
    old = await at.text(pass_id)
    first = await bundle(at, at.east)
    assert len(first.keys) == 1
    at.res.clock.advance(signing_keys.SIGNS - signing_keys.LEAD)
    for _ in range(2):
        await gate_handlers.tend(at.res, "")
    both = await bundle(at, at.east, first.version.text)
    assert [key["no"] for key in both.keys] == [first.keys[0]["no"], first.keys[0]["no"] + 1]
    assert both.keys[1]["signs_from"] == first.keys[0]["signs_from"] + signing_keys.SIGNS
    at.res.clock.advance(signing_keys.LEAD)
    await gate_handlers.tend(at.res, "")
    later = await at.invite(entries=None)
    assert factories_gates.verifier.decode(await at.text(later)).key_id == both.keys[1]["no"]
    rows = await at.res.db.fetch("SELECT private_sealed IS NULL AS destroyed FROM visitor_key ORDER BY no")
    assert [row["destroyed"] for row in rows] == [True, False]
    assert (await at.scan(at.east, old)).reason == "expired", "the key is still believed, the pass is over"
    at.res.clock.advance(signing_keys.BELIEVED)
    assert (await at.scan(at.east, old)).reason == "key_ended"
    await sound(at.res)


async def test_a_key_that_became_known_is_believed_no_more(at: Grounds) -> None:
    pass_id = await at.invite(entries=None)
    old, before = await at.text(pass_id), await bundle(at, at.east)

    async def distrust(tx: Tx) -> int:
        return await signing_keys.distrust(
            tx, SYSTEM, keyring=at.res.keyring, community_id=at.place.id, reason="密钥可能外泄"
        )

    number = await at.res.db.transact(distrust)
    assert (await at.scan(at.east, old)).reason == "key_ended"
    assert (await at.scan(at.east, await at.text(pass_id))).open
    after = await bundle(at, at.east, before.version.text)
    assert (after.version.full, [key["no"] for key in after.keys]) == (False, [number])
    await sound(at.res)


async def test_a_change_that_commits_late_is_not_missing_from_the_next_bundle(at: Grounds) -> None:
    """Two changes at once, and a bundle between their commits; what is over is taken off the gate's list."""
    early, late = await at.invite(), await at.invite()
    first = await bundle(at, at.east)
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> None:
        await tx.execute("UPDATE visitor_pass SET state = 'REVOKED', revoked_at = $2 WHERE id = $1", late, tx.now)
        waiting.set()
        await go_on.wait()

    changing = asyncio.ensure_future(at.res.db.transact(slow))
    await waiting.wait()
    await at.revoke(early)
    between = await bundle(at, at.east, first.version.text)
    go_on.set()
    await changing
    after = await bundle(at, at.west, between.version.text)
    assert [(each.id, each.revoked) for each in between.entries] == [(early, True)]
    assert [(each.id, each.revoked) for each in after.entries] == [(late, True)]
    whole = await bundle(at, at.west)
    assert whole.version.full and {each.id for each in whole.entries} == {early, late}
    at.res.clock.advance(timedelta(hours=9))
    await at.res.db.execute("UPDATE visitor_pass SET revoked_at = revoked_at + interval '1 second' WHERE id = $1", late)
    over = await bundle(at, at.east, after.version.text)
    assert (over.version.full, over.entries, over.removed) == (False, (), (late,))
    at.res.clock.advance(bundles.KEPT)
    await gate_handlers.tend(at.res, "")
    assert (await bundle(at, at.east, between.version.text)).version.full, "too far behind: the whole"
    given = await at.res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'visitor.bundle_given'")
    assert given == 3, "each whole bundle is written down"
    await sound(at.res)


async def test_gates_learn_who_is_banned_and_whose_passes_with_them(at: Grounds) -> None:
    """A ban reaches a gate without a network as a hash, and shuts the pass that the banned person has already."""
    pass_id = await at.invite(phone="13900000009")
    first = await bundle(at, at.east)

    async def put(tx: Tx) -> bans.Banned:
        new = NewBan(BanKind.PHONE, "13900000009", "多次推销", None)
        return await bans.put(
            tx, Actor("staff", at.owner.id), keyring=at.res.keyring, community_id=at.place.id, new=new
        )

    ban = await at.res.db.transact(put)
    told = await bundle(at, at.east, first.version.text)
    assert [(each.id, each.revoked) for each in told.entries] == [(pass_id, True)]
    assert [(each.id, each.hash) for each in told.bans] == [
        (ban.id, bundles.ban_hash(told.salt, "phone", "13900000009"))
    ]
    await at.res.db.transact(
        lambda tx: bans.lift(tx, Actor("staff", at.owner.id), ban_id=ban.id, communities=[at.place.id], reason="误报")
    )
    lifted = await bundle(at, at.east, told.version.text)
    assert (lifted.entries, lifted.bans, set(lifted.removed)) == ((), (), {ban.id, pass_id})
    await sound(at.res)


async def test_a_ban_that_ends_by_itself_is_taken_off_the_gates_lists(at: Grounds) -> None:
    pass_id = await at.invite(entries=None, hours=24 * 2, phone="13900000002")
    new = NewBan(BanKind.PHONE, "13900000002", "闹事", at.res.clock.now() + timedelta(hours=1))
    banned = await at.res.db.transact(
        lambda tx: bans.put(
            tx, Actor("staff", at.owner.id), keyring=at.res.keyring, community_id=at.place.id, new=new
        )
    )  # fmt: skip
    during = await bundle(at, at.east)
    assert [(each.id, each.revoked) for each in during.entries] == [(pass_id, True)]
    assert [each.id for each in during.bans] == [banned.id]
    at.res.clock.advance(timedelta(hours=1))
    await handlers.expire(at.res, "")
    after = await bundle(at, at.east, during.version.text)
    assert (after.version.full, after.entries, after.bans) == (False, (), ())
    assert set(after.removed) == {pass_id, banned.id}
    row = await at.res.db.fetchrow("SELECT lifted_at = until_at AS at_its_end FROM visitor_ban")
    assert row is not None and row["at_its_end"]
    await sound(at.res)
