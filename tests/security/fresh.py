"""Fresh things of community A (or of its house) for requests that change something: cells do not disturb each other."""

import hashlib
import secrets
from datetime import date, timedelta
from uuid import UUID

from backend.fees import bills, prices
from backend.fees.plan import Liable
from backend.kernel import passwords
from backend.kernel.approvals import Approval
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.crypto import Context
from backend.kernel.db import Tx
from backend.kernel.ids import random_text, uuid7
from backend.property.family_codes import LENGTH
from backend.roster import exports
from payments import approvals as payment_approvals
from payments import merchants, pauses
from payments.channels.base import Channel
from payments.merchant_keys import Keys
from tests import factories, factories_fees, vectors
from tests.factories import Community
from tests.security.world import (
    COMPANY_WIDE,
    MINI,
    PASSWORD,
    RESIDENTS,
    ROLE_OF,
    Who,
    World,
    bill_of_run,
    keys_of,
    newcomer,
    open_session,
    place_of,
)


async def house(world: World, place: Community | None = None) -> UUID:
    """A house in community A."""
    return await factories.house(world.res, place or world.a, f"F{world.next()}")


async def person(world: World) -> factories.Person:
    """Somebody with a phone and no house."""
    return await factories.person(world.res, f"138{world.next():08}", "赵六")


async def resident(world: World, role: str) -> tuple[UUID, factories.Person, UUID]:
    """A house with one person in it: house, person, tie."""
    house_id, who = await house(world), await person(world)
    await factories.occupy(world.res, who, house_id, role)
    return house_id, who, await tie(world, who.id)


async def tie(world: World, person_id: UUID) -> UUID:
    """The tie of somebody who has one."""
    found: UUID = await world.res.db.fetchval("SELECT id FROM occupancy WHERE person_id = $1", person_id)
    return found


async def member_of_house(world: World, role: str, house: str = "house") -> UUID:
    """One more person in the house; the tie."""
    who = await person(world)
    await factories.occupy(world.res, who, world.ids[house], role)
    return await tie(world, who.id)


async def session(world: World, who: Who) -> str | None:
    """One more session of the same principal; None for those who have none to lose."""
    if who.name in RESIDENTS:
        assert who.wechat_user_id is not None
        token = f"r_{secrets.token_urlsafe(32)}"
        await open_session(world, "resident", who.wechat_user_id, token)
        return token
    if who.name in ROLE_OF:
        assert who.id is not None
        token = f"s_{secrets.token_urlsafe(32)}"
        await open_session(world, "staff", who.id, token, second_factor=who.name != "unproven")
        return token
    return None


async def another(world: World, who: Who) -> Who:
    """A resident or member of staff of the same kind, to be changed by what is asked; others as they are."""
    if who.name == "newcomer":
        return await newcomer(world)
    if who.name in RESIDENTS:
        made = await person(world)
        role = "owner" if who.name in ("former", "stranger") else who.name
        ends_on = date(2026, 8, 1) if who.name == "former" else None
        await factories.occupy(world.res, made, await house(world), role, ends_on=ends_on)
        return Who(who.name, made.token, made.id, made.wechat_user_id, made.openid)
    if who.name in ROLE_OF:
        return await colleague(world, who.name)
    return who


async def colleague(world: World, name: str, place: Community | None = None) -> Who:
    """A member of staff with the same role, the password PASSWORD and a session."""
    made = await factories.staff(
        world.res, place or place_of(world, name), ROLE_OF[name], all_communities=name in COMPANY_WIDE
    )
    await set_password(world, made.id)
    if name == "unproven":
        await world.res.db.execute("UPDATE session SET second_factor = false WHERE staff_id = $1", made.id)
    return Who(name, made.token, made.id)


_HASHES: list[str] = []


async def set_password(world: World, staff_id: UUID) -> str:
    """Give PASSWORD to a member of staff; the login."""
    if not _HASHES:
        _HASHES.append(await passwords.hash_password(PASSWORD))
    login: str = await world.res.db.fetchval(
        "UPDATE staff SET password_hash = $2 WHERE id = $1 RETURNING login", staff_id, _HASHES[0]
    )
    return login


async def offered_totp(world: World, staff_id: UUID) -> str:
    """Offer a second factor; a code that confirms it now."""
    secret = passwords.new_totp_secret()
    sealed = world.res.keyring.seal(secret, Context("staff", "totp_pending_sealed", staff_id))
    await world.res.db.execute("UPDATE staff SET totp_pending_sealed = $2 WHERE id = $1", staff_id, sealed)
    return passwords.totp_code(secret, at=world.res.clock.now())


async def family_code(world: World) -> tuple[str, UUID]:
    """A code to join a house as family; code and house."""
    house_id, owner, _ = await resident(world, "owner")
    code, now = random_text(LENGTH), world.res.clock.now()
    await world.res.db.execute(
        """INSERT INTO family_code (code_hash, house_id, role, created_by, created_at, expires_at)
           VALUES ($1, $2, 'family', $3, $4, $5)""",
        world.res.keyring.blind(code, "family_code"), house_id, owner.id, now, now + timedelta(minutes=5),
    )  # fmt: skip
    return code, house_id


async def wechat_code(world: World) -> str:
    """A code by which WeChat is bound to a member of staff."""
    who, code, now = await colleague(world, "engineer"), random_text(8), world.res.clock.now()
    await world.res.db.execute(
        "INSERT INTO staff_wechat_code (code_hash, staff_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        hashlib.sha256(code.encode()).digest(), who.id, now, now + timedelta(minutes=10),
    )  # fmt: skip
    return code


async def sandbox_user(world: World) -> str:
    """Somebody new at WeChat; the id there."""
    made = await world.sandbox.ask("POST", "/users", {"phone": f"137{world.next():08}"})
    return str(made["user_id"])


async def wechat_login(world: World, kind: str) -> str:
    """A fresh login or phone code."""
    user_id = await sandbox_user(world)
    return str((await world.sandbox.ask("POST", f"/users/{user_id}/{kind}-code", {"appid": MINI}))["code"])


async def item(world: World, *, liable: Liable = Liable.OWNER, place: Community | None = None) -> UUID:
    """An item of community A with a price."""
    return await factories_fees.item(world.res, place or world.a, code=f"F{world.next()}", name="清洁费", liable=liable)


async def bill(world: World, *, liable: str = "owner", published: bool = True) -> UUID:
    """A bill of the house, in a run of its own; `former` and `tenant` are named as who owes."""
    made = await item(world, liable=Liable.TENANT if liable == "tenant" else Liable.OWNER)
    make = factories_fees.published if published else factories_fees.ready
    run = await make(world.res, made, house_id=world.ids["house"])
    bill_id = await bill_of_run(world, run.id, world.ids["house"])
    if liable == "former":
        await world.res.db.execute("UPDATE bill SET liable_person_id = $2 WHERE id = $1", bill_id, world.ids["former"])
    return bill_id


async def run(world: World) -> UUID:
    """A run of the house that is ready to be published."""
    made = await item(world)
    return (await factories_fees.ready(world.res, made, house_id=world.ids["house"])).id


async def price_proposal(world: World, by: UUID, place: Community | None = None) -> tuple[UUID, UUID]:
    """A proposed price; approval and item."""
    made, communities = await item(world, place=place), ((place or world.a).id,)

    async def work(tx: Tx) -> Approval:
        return await prices.propose(
            tx, Actor("staff", by), item_id=made, communities=communities, rate_micro=2_800_000,
            effective_from=date(2027, 1, 1), reason="业主大会决议",
        )  # fmt: skip

    return (await world.res.db.transact(work)).id, made


async def void_proposal(world: World, by: UUID) -> tuple[UUID, UUID]:
    """A bill that is proposed to be voided; approval and bill."""
    made = await bill(world)

    async def work(tx: Tx) -> Approval:
        return await bills.propose_void(
            tx, Actor("staff", by), bill_id=made, communities=(world.a.id,), reason="重复出账"
        )

    return (await world.res.db.transact(work)).id, made


async def merchant(world: World) -> UUID:
    """A merchant of ours, for one item of community A."""
    made, platform = await item(world), await platform_keys(world)

    async def work(tx: Tx) -> UUID:
        return (
            await merchants.create(
                tx, SYSTEM, keyring=world.res.keyring, mode=world.res.settings.mode, company_id=world.a.company_id,
                community_id=world.a.id, item_id=made, mchid="1900007291", appid=MINI, name="专项",
                keys=keys_of(platform),
            )
        ).id  # fmt: skip

    return await world.res.db.transact(work)


async def alipay_merchant(world: World) -> UUID:
    """The merchant of our company at Alipay, made when it is first needed."""
    known: UUID | None = await world.res.db.fetchval(
        "SELECT id FROM merchant WHERE company_id = $1 AND channel = 'alipay'", world.a.company_id
    )
    if known is not None:
        return known
    keys = Keys("", vectors.private_pem(vectors.key_m()), "", {"public_key": vectors.public_pem(vectors.key_p())})

    async def work(tx: Tx) -> UUID:
        return (
            await merchants.create(
                tx, SYSTEM, keyring=world.res.keyring, mode=world.res.settings.mode, company_id=world.a.company_id,
                community_id=None, item_id=None, channel=Channel.ALIPAY, mchid="2088531891668739",
                appid="9021000000000001", name="支付宝", keys=keys,
            )
        ).id  # fmt: skip

    return await world.res.db.transact(work)


async def pause(world: World) -> None:
    """Nothing is collected online in community A."""

    async def work(tx: Tx) -> None:
        await pauses.pause(tx, SYSTEM, company_id=world.a.company_id, community_id=world.a.id, reason="银行维护")

    await world.res.db.transact(work)


async def platform_keys(world: World) -> dict[str, str]:
    """The platform's public keys that our merchant believes."""
    found: dict[str, str] = await world.res.db.fetchval(
        "SELECT platform_keys FROM merchant WHERE id = $1", world.ids["merchant"]
    )
    return found


async def keys_proposal(world: World, by: UUID) -> tuple[UUID, UUID]:
    """New keys proposed for a merchant; approval and merchant."""
    made, platform = await merchant(world), await platform_keys(world)

    async def work(tx: Tx) -> Approval:
        return await payment_approvals.propose_keys(
            tx, Actor("staff", by), keyring=world.res.keyring, mode=world.res.settings.mode,
            company_id=world.a.company_id, merchant_id=made, keys=keys_of(platform), reason="证书到期",
        )  # fmt: skip

    return (await world.res.db.transact(work)).id, made


async def consent(world: World, person_id: UUID | None) -> None:
    """Consent to messages, to be taken back."""
    if person_id is not None:
        await world.res.db.execute(
            """INSERT INTO personal_consent (person_id, purpose, version, granted_at) VALUES ($1, 'messages', 1, $2)
               ON CONFLICT DO NOTHING""",
            person_id, world.res.clock.now(),
        )  # fmt: skip


async def roster_import(world: World, letter: str = "a", state: str = "READY") -> UUID:
    """A checked roster."""
    now = world.res.clock.now()
    import_id = uuid7(now)
    await world.res.db.execute(
        """INSERT INTO roster_import (id, community_id, file_sha256, file_name, state, file_key, created_by, created_at)
           VALUES ($1, $2, $3, '名册.xlsx', $4, $5, $6, $7)""",
        import_id, world.places[letter].id, secrets.token_bytes(32), state, f"rosters/{import_id.hex}.xlsx",
        world.ids["staff_second"], now,
    )  # fmt: skip
    return import_id


async def building(world: World) -> UUID:
    """A building of community A without houses."""
    building_id = uuid7(world.res.clock.now())
    await world.res.db.execute(
        "INSERT INTO building (id, community_id, code, name) VALUES ($1, $2, $3, '甲座')",
        building_id, world.a.id, f"B{world.next()}",
    )  # fmt: skip
    return building_id


async def no_export_pending(world: World) -> None:
    """One export of a community may wait at a time; let none wait."""
    await world.res.db.execute(
        "UPDATE approval SET state = 'EXPIRED', decided_at = $1 WHERE state = 'PENDING' AND kind = 'roster.export'",
        world.res.clock.now(),
    )


async def export_proposal(world: World) -> UUID:
    """An export of community A's roster that waits for a second person."""
    await no_export_pending(world)

    async def work(tx: Tx) -> Approval:
        by = Actor("staff", world.ids["staff_second"])
        return await exports.propose(tx, by, community_id=world.a.id, reason="年度核对")

    return (await world.res.db.transact(work)).id


async def export(world: World, by: UUID) -> UUID:
    """A file of community A's roster that `by` has asked for."""
    now, approval_id = world.res.clock.now(), await export_proposal(world)
    export_id = uuid7(now)
    await world.res.db.execute(
        """INSERT INTO roster_export (id, community_id, approval_id, state, file_key, created_by, created_at,
                                      finished_at)
           VALUES ($1, $2, $3, 'READY', $4, $5, $6, $6)""",
        export_id, world.a.id, approval_id, f"roster-exports/{export_id.hex}.xlsx", by, now,
    )  # fmt: skip
    return export_id
