"""Staff's side of merchants: adding them, changing their keys by two people, pausing, retiring."""

from typing import Any
from uuid import UUID

from backend.fees import items
from backend.kernel.db import Tx
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from backend.kernel.http import Call, Route
from payments import approvals, merchant_keys, merchants, pauses
from payments.channels.base import Channel
from payments.merchant_keys import Keys
from payments.merchant_schemas import (
    KeysProposal,
    MerchantCreate,
    MerchantKeys,
    MerchantList,
    MerchantView,
    PauseList,
    PauseView,
    PlaceReason,
    Proposed,
    Reason,
)
from payments.models import Merchant

READ_MERCHANTS = "merchant.read"
READ_PAUSES = "collection.read"
PAUSE = "collection.pause"
MANAGE_MERCHANTS = "merchant.manage"


async def list_merchants(call: Call[None, None]) -> MerchantList:
    """GET /admin/v1/merchants."""
    rows = await Merchant.filter(company_id=_company(call, READ_MERCHANTS)).using_db(call.res.db.orm).order_by("-id")
    return MerchantList(items=[_merchant(call, row) for row in rows])


async def show_merchant(call: Call[None, None]) -> MerchantView:
    """GET /admin/v1/merchants/{merchant_id}."""
    return await _one_merchant(call, READ_MERCHANTS)


async def create_merchant(call: Call[MerchantCreate, None]) -> MerchantView:
    """POST /admin/v1/merchants."""
    company_id, body = _company(call, MANAGE_MERCHANTS), call.body
    if body.community_id is not None:
        call.principal.require_community(MANAGE_MERCHANTS, body.community_id)

    async def work(tx: Tx) -> MerchantView:
        if body.item_id is not None:
            await items.row_of(tx, body.item_id, communities=(body.community_id,) if body.community_id else ())
        made = await merchants.create(
            tx,
            call.principal.actor,
            keyring=call.res.keyring,
            mode=call.res.settings.mode,
            company_id=company_id,
            community_id=body.community_id,
            item_id=body.item_id,
            channel=Channel(body.channel),
            mchid=body.mchid,
            appid=body.appid,
            sub_mchid=body.sub_mchid,
            sub_appid=body.sub_appid,
            name=body.name,
            keys=_keys(body.keys),
        )
        return _merchant(call, await Merchant.get(id=made.id, using_db=tx.orm))

    return await call.once(work, MerchantView)


async def propose_keys(call: Call[KeysProposal, None]) -> Proposed:
    """POST /admin/v1/merchants/{merchant_id}/keys."""
    company_id = _company(call, MANAGE_MERCHANTS)

    async def work(tx: Tx) -> Proposed:
        approval = await approvals.propose_keys(
            tx,
            call.principal.actor,
            keyring=call.res.keyring,
            mode=call.res.settings.mode,
            company_id=company_id,
            merchant_id=call.ids["merchant_id"],
            keys=_keys(call.body.keys),
            reason=call.body.reason,
        )
        return Proposed(approval_id=approval.id)

    return await call.once(work, Proposed)


async def pause_merchant(call: Call[Reason, None]) -> MerchantView:
    """POST /admin/v1/merchants/{merchant_id}/pause: no new orders; callbacks go on."""
    return await _set_paused(call, paused=True)


async def resume_merchant(call: Call[Reason, None]) -> MerchantView:
    """POST /admin/v1/merchants/{merchant_id}/resume."""
    return await _set_paused(call, paused=False)


async def _set_paused(call: Call[Reason, None], *, paused: bool) -> MerchantView:
    known = await _one_merchant(call, MANAGE_MERCHANTS)
    await call.res.db.transact(
        lambda tx: merchants.set_paused(
            tx, call.principal.actor, merchant_id=known.id, paused=paused, reason=call.body.reason
        )
    )
    return await _one_merchant(call, MANAGE_MERCHANTS)


async def retire_merchant(call: Call[Reason, None]) -> MerchantView:
    """POST /admin/v1/merchants/{merchant_id}/retire."""
    known = await _one_merchant(call, MANAGE_MERCHANTS)
    await call.res.db.transact(
        lambda tx: merchants.retire(tx, call.principal.actor, merchant_id=known.id, reason=call.body.reason)
    )
    return await _one_merchant(call, MANAGE_MERCHANTS)


async def list_pauses(call: Call[Any, None]) -> PauseList:
    """GET /admin/v1/collection/pauses."""
    return await _pauses(call, READ_PAUSES)


async def pause_collection(call: Call[PlaceReason, None]) -> PauseList:
    """POST /admin/v1/collection/pause: no new orders online there; callbacks go on."""
    company_id, body = _place(call), call.body
    await call.res.db.transact(
        lambda tx: pauses.pause(
            tx, call.principal.actor, company_id=company_id, community_id=body.community_id, reason=body.reason
        )
    )
    return await _pauses(call, PAUSE)


async def resume_collection(call: Call[PlaceReason, None]) -> PauseList:
    """POST /admin/v1/collection/resume."""
    company_id, body = _place(call), call.body
    await call.res.db.transact(
        lambda tx: pauses.resume(
            tx, call.principal.actor, company_id=company_id, community_id=body.community_id, reason=body.reason
        )
    )
    return await _pauses(call, PAUSE)


async def _pauses(call: Call[Any, None], permission: str) -> PauseList:
    company_id = call.principal.company_id
    if company_id is None:
        raise NotFound
    rows = await pauses.in_force(call.res.db, company_id, communities=call.principal.communities(permission))
    return PauseList(items=[PauseView(**row) for row in rows])


def _place(call: Call[PlaceReason, None]) -> UUID:
    """The company of the place to be paused; NotFound for a place that is not the asker's."""
    if call.body.community_id is not None:
        call.principal.require_community(PAUSE, call.body.community_id)
    elif call.principal.company_id is not None:
        call.principal.require_company(PAUSE)
    if call.principal.company_id is None:
        raise NotFound
    return call.principal.company_id


def _company(call: Call[Any, Any], permission: str) -> UUID:
    """The company whose merchants the principal sees; NotFound for roles of single communities."""
    return call.principal.require_company(permission)


def _keys(body: MerchantKeys) -> Keys:
    if body.certificates is not None:
        given = body.certificates
        return merchant_keys.of_alipay_certificates(
            body.private_key_pem, app=given.app, root=given.root, platform=given.platform
        )
    return Keys(body.serial_no, body.private_key_pem, body.api_v3_key or "", body.platform_keys)


async def _one_merchant(call: Call[Any, Any], permission: str) -> MerchantView:
    row = await Merchant.get_or_none(
        id=call.ids["merchant_id"], company_id=_company(call, permission), using_db=call.res.db.orm
    )
    if row is None:
        raise NotFound
    return _merchant(call, row)


def _merchant(call: Call[Any, Any], row: Merchant) -> MerchantView:
    return MerchantView(
        id=row.id,
        community_id=row.community_id,
        item_id=row.item_id,
        channel=Channel(row.channel),
        mchid=row.mchid,
        appid=row.appid,
        sub_mchid=row.sub_mchid,
        sub_appid=row.sub_appid,
        name=row.name,
        serial_no=row.serial_no,
        platform_serials=sorted(row.platform_keys),
        notify_url=merchants.notify_url(call.res.settings.public_url, Channel(row.channel), row.id),
        paused=row.paused,
        created_at=row.created_at,
        retired_at=row.retired_at,
    )


_ONE = (Unauthenticated, Forbidden, NotFound)
_CHANGE = (*_ONE, Conflict, Invalid)

ROUTES = (
    Route(
        "GET", "/admin/v1/merchants", list_merchants, READ_MERCHANTS, "收款商户列表",
        answer=MerchantList, errors=_ONE,
    ),
    Route(
        "POST", "/admin/v1/merchants", create_merchant, MANAGE_MERCHANTS, "新增收款商户",
        body=MerchantCreate, answer=MerchantView, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "GET", "/admin/v1/merchants/{merchant_id}", show_merchant, READ_MERCHANTS, "收款商户",
        answer=MerchantView, errors=_ONE,
    ),
    Route(
        "POST", "/admin/v1/merchants/{merchant_id}/keys", propose_keys, MANAGE_MERCHANTS,
        "申请更换商户密钥，由另一位管理员审批",
        body=KeysProposal, answer=Proposed, status=201, errors=_CHANGE, creates=True,
    ),
    Route(
        "POST", "/admin/v1/merchants/{merchant_id}/pause", pause_merchant, MANAGE_MERCHANTS, "暂停线上收款",
        body=Reason, answer=MerchantView, errors=_CHANGE,
    ),
    Route(
        "POST", "/admin/v1/merchants/{merchant_id}/resume", resume_merchant, MANAGE_MERCHANTS, "恢复线上收款",
        body=Reason, answer=MerchantView, errors=_CHANGE,
    ),
    Route(
        "POST", "/admin/v1/merchants/{merchant_id}/retire", retire_merchant, MANAGE_MERCHANTS, "停用收款商户",
        body=Reason, answer=MerchantView, errors=_CHANGE,
    ),
    Route(
        "GET", "/admin/v1/collection/pauses", list_pauses, READ_PAUSES, "哪里暂停了线上收款",
        answer=PauseList, errors=_ONE,
    ),
    Route(
        "POST", "/admin/v1/collection/pause", pause_collection, PAUSE, "暂停公司或小区的线上收款",
        body=PlaceReason, answer=PauseList, errors=_CHANGE,
    ),
    Route(
        "POST", "/admin/v1/collection/resume", resume_collection, PAUSE, "恢复公司或小区的线上收款",
        body=PlaceReason, answer=PauseList, errors=_CHANGE,
    ),
)  # fmt: skip
