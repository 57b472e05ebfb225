"""Residents get WeChat at the sandbox, log in and bind their phones: the product asks the sandbox as it asks WeChat."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from backend.identity import wechat_users
from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.messaging import consents
from backend.messaging.templates import Channel, of_app
from backend.seeding import gathering
from backend.seeding.demo_file import Demo, ResidentLogin
from backend.seeding.town import Resident, Spot
from backend.seeding.wechat import control
from backend.wechat import api, apps, miniprogram

# Of all who join: every so many-th follows the official account, and every so many-th subscribes to messages.
FOLLOWS_EVERY, SUBSCRIBES_EVERY = 5, 3
SUBSCRIPTIONS_EACH = 3
# Family and tenants who join as well.
GUESTS = 6


@dataclass(frozen=True, slots=True)
class Joined:
    """A resident who has logged in to the mini-program with a bound phone."""

    person_id: UUID
    role: str
    appid: str
    openid: str


def residents_to_join(spots: Sequence[Spot]) -> list[ResidentLogin]:
    """Everybody who is to have WeChat: all owners in order of their houses, and the first guests."""
    met: dict[str, ResidentLogin] = {}
    guests = 0
    for spot in spots:
        for who, role in spot.living():
            is_guest = role != "owner"
            if who.phone in met or (is_guest and guests >= GUESTS):
                continue
            guests += is_guest
            met[who.phone] = _login(who, spot, role, number=len(met))
    return list(met.values())


def _login(who: Resident, spot: Spot, role: str, *, number: int) -> ResidentLogin:
    hears = "template" if number % FOLLOWS_EVERY == 0 else "subscription" if number % SUBSCRIBES_EVERY == 0 else "inbox"
    unit = f"{spot.unit}单元" if spot.unit else ""
    house = f"{spot.building}{unit}{spot.door}"
    return ResidentLogin(user_id="", name=who.name, phone=who.phone, house=house, role=role, hears=hears)


async def join(res: Resources, demo: Demo, newcomers: Sequence[ResidentLogin]) -> list[Joined]:
    """Give WeChat to the newcomers who have none yet in `demo`, and log everybody in; `demo` learns the user ids."""
    known = {resident.phone: resident for resident in demo.residents}
    app = await apps.app_by_appid(res.db, res.keyring, demo.miniprogram)

    async def one(newcomer: ResidentLogin) -> tuple[ResidentLogin, Joined]:
        resident = known.get(newcomer.phone) or await _give_wechat(res, newcomer)
        joined = await _log_in(res, app, resident)
        if resident.phone not in known:
            await _listen(res, demo, resident, joined)
        return resident, joined

    everybody = await gathering.each(newcomers, one)
    demo.residents = [resident for resident, _ in everybody]
    return [joined for _, joined in everybody]


async def _give_wechat(res: Resources, newcomer: ResidentLogin) -> ResidentLogin:
    made = await control(res, "POST", "/users", {"nickname": newcomer.name, "phone": newcomer.phone})
    return replace(newcomer, user_id=made["user_id"])


async def _code(res: Resources, resident: ResidentLogin, appid: str, kind: str) -> str:
    told = await control(res, "POST", f"/users/{resident.user_id}/{kind}", {"appid": appid})
    return str(told["code"])


async def _log_in(res: Resources, app: apps.App, resident: ResidentLogin) -> Joined:
    """What the mini-program does at the first opening: a login code, then the phone button."""
    code = await _code(res, resident, app.appid, "login-code")
    known = await miniprogram.code2session(api.of(res), app, code=code)
    signed = await res.db.transact(
        lambda tx: wechat_users.sign_in(
            tx, res.keyring, appid=app.appid, openid=known.openid, unionid=known.unionid,
            session_key=known.session_key,
        )
    )  # fmt: skip
    person_id = signed.person_id
    if person_id is None:
        phone_code = await _code(res, resident, app.appid, "phone-code")
        verified = await miniprogram.phone_number(api.of(res), app, code=phone_code)
        person = await res.db.transact(
            lambda tx: wechat_users.bind_phone(
                tx, res.keyring, Actor("resident", None, None), wechat_user_id=signed.wechat_user_id,
                phone=verified.number,
            )
        )  # fmt: skip
        person_id = person.id
    return Joined(person_id, resident.role, app.appid, known.openid)


async def _listen(res: Resources, demo: Demo, resident: ResidentLogin, joined: Joined) -> None:
    """Some follow the official account, some subscribe to the mini-program's messages."""
    if resident.hears == "template":
        path = f"/users/{resident.user_id}"
        await control(res, "POST", f"{path}/follow", {"appid": demo.official})
        told = await control(res, "GET", f"{path}/openid?appid={demo.official}")
        await res.db.transact(
            lambda tx: wechat_users.meet(tx, appid=demo.official, openid=told["openid"], unionid=told.get("unionid"))
        )
    elif resident.hears == "subscription":
        await _subscribe(res, resident, joined)


async def _subscribe(res: Resources, resident: ResidentLogin, joined: Joined) -> None:
    wanted = [template.template_id for template in await of_app(res.db, joined.appid, Channel.SUBSCRIPTION)]
    for template_id in wanted:
        for _ in range(SUBSCRIPTIONS_EACH):
            await control(
                res, "POST", f"/users/{resident.user_id}/consent",
                {"appid": joined.appid, "template_id": template_id, "answer": "accept"},
            )  # fmt: skip

    async def keep(tx: Tx) -> None:
        for _ in range(SUBSCRIPTIONS_EACH):
            await consents.record(
                tx, person_id=joined.person_id, appid=joined.appid, answers=dict.fromkeys(wanted, "accept")
            )

    await res.db.transact(keep)
