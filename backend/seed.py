"""Root of `linli seed`: an empty database gets a community of 200 houses, people, staff and two months of history.

Sandbox mode only, with the sandbox running. Where a company exists already nothing is touched, unless an earlier seed
was cut off: then it is carried on. Exit codes as in `backend.kernel.root`. Run as `python -m backend.seed`.
"""

import sys
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from backend.composition import APPROVALS, HANDLERS, MODELS
from backend.kernel import clock, root
from backend.kernel.clock import local_date
from backend.kernel.config import ConfigError, Mode, Settings
from backend.kernel.errors import NotFound
from backend.kernel.money import yuan_text
from backend.kernel.resources import Resources, open_resources
from backend.property import pay_codes
from backend.seeding import (
    account,
    alipay,
    car_park,
    demo_file,
    founding,
    history,
    joining,
    service_desk,
    town,
    visiting,
    wechat,
    workshop,
)
from backend.seeding.demo_file import Demo
from backend.seeding.history import Traveller
from backend.seeding.joining import Joined
from payments.channels.base import Channel

FOUNDING_HOUR, BILLING_HOUR, PAYING_HOUR = 8, 9, 10
MANAGER = "manager"
# The API is not up yet: callbacks find nobody, and every payment is heard of by asking.
NOBODY_LISTENS = 1_000_000


async def seed(settings: Settings) -> None:
    """Put the demo data in; ConfigError in live mode."""
    if settings.mode is Mode.LIVE:
        raise ConfigError("示例数据只能放进沙箱模式的系统，正式环境里不能放。")
    res = await open_resources(settings, models=MODELS, approval_kinds=APPROVALS)
    try:
        known = demo_file.read(settings.data_dir)
        cut_off = known if known is not None and not known.complete else None
        founded = await founding.found_one(res.db) is not None
        if founded and cut_off is None:
            _say("已经有数据了，示例数据不再放入。")
            return
        demo = cut_off or Demo(clock.read_offset_s(settings.data_dir), founding.new_staff())
        await _play(res, demo, founded=founded)
    finally:
        await res.close()


async def _play(res: Resources, demo: Demo, *, founded: bool) -> None:
    """Walk from two months ago to the present; the shared clock comes back whatever happens."""
    demo_file.write(res.settings.data_dir, demo)
    traveller = Traveller(res, demo.base_offset_s)
    await wechat.control(res, "PUT", "/hostile", {"lose_callbacks": NOBODY_LISTENS})
    try:
        months = history.months_before(local_date(traveller.present()))
        traveller.go(months[0], FOUNDING_HOUR)
        if not founded:
            await _found(res, demo, months[0])
        joined = await _join(res, demo)
        for month, paydays in zip(months, history.PAYDAYS, strict=True):
            await _live(res, demo, traveller, joined, month=month, paydays=paydays)
        traveller.come_back()
        await service_desk.report(res, UUID(demo.company_id), UUID(demo.community_id), joined)
        await workshop.quote(res, UUID(demo.company_id), UUID(demo.community_id), joined)
        await history.do_jobs(res, HANDLERS)
        await _leave_open(res, demo, joined)
        await account.listen(res, demo)
    finally:
        traveller.come_back()
        await wechat.control(res, "DELETE", "/hostile")
    demo.complete = True
    demo_file.write(res.settings.data_dir, demo)
    _say("示例数据准备好了，登录名和密码在首页上。")


async def _found(res: Resources, demo: Demo, billed_from: date) -> None:
    _say("正在沙箱里登记小程序、公众号、微信支付和支付宝的商户……")
    accounts, by_alipay = await wechat.register(res), await alipay.register(res)
    demo.miniprogram, demo.official, demo.mchid = accounts.miniprogram, accounts.official, accounts.mchid
    demo.alipay_app_id = by_alipay.app_id
    demo_file.write(res.settings.data_dir, demo)
    spots = town.spots()
    _say(f"正在建立小区“{founding.COMMUNITY}”：{len(spots)} 套房屋……")
    await founding.found(
        res, accounts=accounts, alipay=by_alipay, logins=demo.staff, spots=spots, billed_from=billed_from
    )


async def _join(res: Resources, demo: Demo) -> list[Joined]:
    place = await founding.found_one(res.db)
    if place is None:
        raise NotFound
    demo.company_id, demo.community_id, demo.community = str(place.company_id), str(place.id), place.name
    demo.merchant_id = str(await founding.merchant_of(res.db, place.id))
    demo.alipay_merchant_id = str(await founding.merchant_of(res.db, place.id, Channel.ALIPAY))
    (card,) = await pay_codes.cards(res.db, place.id, building_id=None, after=0, limit=1)
    demo.pay_code = card.pay_code
    demo.lot_id, demo.cameras = await car_park.addresses(res, place.id)
    newcomers = joining.residents_to_join(town.spots())
    _say(f"{len(newcomers)} 位住户正在用微信登录小程序……")
    joined = await joining.join(res, demo, newcomers)
    demo_file.write(res.settings.data_dir, demo)
    return joined


async def _live(
    res: Resources,
    demo: Demo,
    traveller: Traveller,
    joined: Sequence[Joined],
    *,
    month: date,
    paydays: Sequence[tuple[int, int]],
) -> None:
    """A month: its bills on the first, then payments day by day; what an earlier seed played is not played again."""
    if month.replace(day=paydays[-1][0]).isoformat() <= demo.played_until:
        return
    community_id = UUID(demo.community_id)
    traveller.go(month, BILLING_HOUR)
    manager = await history.manager_of(res, UUID(demo.company_id), MANAGER)
    count, total_fen = await history.bill_month(res, manager, community_id, month)
    _say(f"{month:%Y年%m月}：出账 {count} 笔，共 {yuan_text(total_fen)} 元。")
    await history.do_jobs(res, HANDLERS)
    owners = [one for one in joined if one.role == "owner"]
    paid = paid_fen = 0
    for day, payers_of_ten in paydays:
        payday = month.replace(day=day)
        if payday.isoformat() <= demo.played_until:
            continue
        traveller.go(payday, PAYING_HOUR)
        payers = [owner for number, owner in enumerate(owners) if number % 10 >= 10 - payers_of_ten]
        orders, amount_fen = await history.pay_bills(res, community_id, payers)
        paid, paid_fen = paid + orders, paid_fen + amount_fen
        await history.do_jobs(res, HANDLERS)
        demo.played_until = payday.isoformat()
        demo_file.write(res.settings.data_dir, demo)
    _say(f"{month:%Y年%m月}：住户支付 {paid} 笔，共 {yuan_text(paid_fen)} 元。")


async def _leave_open(res: Resources, demo: Demo, joined: Sequence[Joined]) -> None:
    """Visitors are invited, and one resident is about to pay: whoever opens the start page finds a cashier to try."""
    await visiting.invite(res, UUID(demo.community_id), [one.person_id for one in joined if one.role == "owner"])
    for payer in joined:
        if await history.place(res, UUID(demo.community_id), payer) is not None:
            return


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(root.run(seed, failed="示例数据没有放完，再次启动会接着放"))
