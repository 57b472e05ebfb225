"""WeChat accounts as rows: sealed, replaceable, and of one company."""

from uuid import uuid4

import pytest

from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, NotFound
from backend.kernel.resources import Resources
from backend.wechat import apps
from backend.wechat.apps import App, AppKind
from tests import factories

SECRET = "the-secret-of-the-app-0123456789"


async def register(res: Resources, **changed: object) -> App:
    async def work(tx: Tx) -> App:
        given = {"appid": "wx1", "kind": AppKind.MINIPROGRAM, "secret": SECRET, **changed}
        return await apps.register(tx, res.keyring, actor=SYSTEM, **given)  # type: ignore[arg-type]

    return await res.db.transact(work)


async def test_an_account_is_kept_sealed_and_found(res: Resources) -> None:
    place = await factories.community(res)
    made = await register(res, company_id=place.company_id)
    assert await apps.app_by_appid(res.db, res.keyring, "wx1") == made
    sealed = await res.db.fetchval("SELECT secret_sealed FROM wechat_app WHERE appid = 'wx1'")
    assert SECRET.encode() not in sealed
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE target = 'wechat_app:wx1'") == 1
    assert not await res.db.fetchval("SELECT bool_or(after::text LIKE '%secret-of%') FROM audit_entry")


async def test_a_new_secret_works_without_a_restart(res: Resources) -> None:
    place = await factories.community(res)
    await register(res, company_id=place.company_id)
    await register(res, company_id=place.company_id, secret="another")
    assert (await apps.app_by_appid(res.db, res.keyring, "wx1")).secret == "another"


async def test_an_unknown_account_is_not_found(res: Resources) -> None:
    with pytest.raises(NotFound):
        await apps.app_by_appid(res.db, res.keyring, "wx-unknown")


async def test_an_account_does_not_change_hands(res: Resources) -> None:
    first, second = await factories.community(res), await factories.community(res, "LL02")
    await register(res, company_id=first.company_id)
    with pytest.raises(Conflict):
        await register(res, company_id=second.company_id)
    with pytest.raises(Conflict):
        await register(res, company_id=first.company_id, kind=AppKind.OFFICIAL)


async def test_accounts_of_a_company_by_kind(res: Resources) -> None:
    place = await factories.community(res)
    mini = await register(res, company_id=place.company_id)
    official = await register(res, company_id=place.company_id, appid="wx2", kind=AppKind.OFFICIAL)
    for kind, expected in ((AppKind.MINIPROGRAM, [mini]), (AppKind.OFFICIAL, [official])):
        assert await apps.apps_of_company(res.db, res.keyring, company_id=place.company_id, kind=kind) == expected
    assert await apps.apps_of_company(res.db, res.keyring, company_id=uuid4(), kind=AppKind.OFFICIAL) == []
