"""Shipping reports of settled payments (发货信息管理): without them WeChat limits a mini-program's payments (D6).

A report is a job of its own, repeatable as it is: that WeChat has it already counts as reported.
"""

from uuid import UUID

from backend.kernel.db import Batch, Record, Tx
from backend.kernel.errors import NotFound
from backend.kernel.outbox import Job, Park, Retry
from backend.wechat import api, apps, shipping
from backend.wechat.apps import AppKind
from backend.wechat.errcodes import Meaning
from backend.wechat.errors import Outcome, Refused, Sent, Unknown

TOMORROW_S = 6 * 3600
LATER = frozenset({Meaning.RETRY, Meaning.REFRESH_TOKEN})

LOAD = """
    SELECT a.id, a.out_trade_no, a.paid_at, a.request, m.mchid, a.request ->> 'app_id' AS appid, o.description
      FROM payment_attempt a
      JOIN payment_order o ON o.id = a.order_id
      JOIN merchant m ON m.id = a.merchant_id
     WHERE a.id = $1 AND a.state = 'PAID'
       AND NOT EXISTS (SELECT FROM shipping_report s WHERE s.attempt_id = a.id AND s.state = 'REPORTED')
"""

REPORT = Batch(
    table="shipping_report",
    columns=(
        ("attempt_id", "uuid"),
        ("state", "text"),
        ("reported_at", "timestamptz"),
        ("errcode", "integer"),
        ("error", "text"),
    ),
    on_conflict="""
        ON CONFLICT (attempt_id) DO UPDATE
       SET state = EXCLUDED.state, reported_at = EXCLUDED.reported_at, errcode = EXCLUDED.errcode,
           error = EXCLUDED.error
    """,
)


async def on_shipping_due(job: Job) -> None:
    """Handler of `payments.shipping_due`: report one settled attempt to WeChat."""
    row = await job.res.db.fetchrow(LOAD, UUID(job.payload["attempt_id"]))
    if row is None:
        return
    try:
        app = await apps.app_by_appid(job.res.db, job.res.keyring, row["appid"])
    except NotFound as error:
        raise Park(f"app {row['appid']} is not registered") from error
    if app.kind is not AppKind.MINIPROGRAM:
        return
    outcome = await shipping.upload_shipping_info(
        api.of(job.res),
        app,
        mchid=row["mchid"],
        out_trade_no=row["out_trade_no"],
        openid=row["request"]["payer_openid"],
        item=row["description"],
        at=job.res.clock.now(),
    )
    await _keep(job, row, outcome)


async def _keep(job: Job, row: Record, outcome: Outcome) -> None:
    if isinstance(outcome, Unknown):
        raise Retry(outcome.reason)
    if isinstance(outcome, Sent):

        async def reported(tx: Tx) -> None:
            tx.add(REPORT, row["id"], "REPORTED", tx.now, None, None)

        await job.transact(reported)
        return
    await _refused(job, row, outcome)


async def _refused(job: Job, row: Record, outcome: Refused) -> None:
    if outcome.meaning in LATER:
        raise Retry(outcome.text)
    if outcome.meaning is Meaning.BACK_OFF_TODAY:
        raise Retry(outcome.text, after_s=TOMORROW_S)

    async def refused(tx: Tx) -> None:
        tx.add(REPORT, row["id"], "PARKED", None, outcome.errcode, outcome.text)

    await job.res.db.transact(refused)
    raise Park(f"shipping report refused: {outcome.errcode} {outcome.text}")
