"""Staff routes of prepaid accounts: those of a house, open one, statement, taking a bill's use back (D4).

Money comes in at the counter.
"""

from backend.fees import prepaid, prepaid_returns
from backend.fees.prepaid_schemas import (
    AccountAnswer,
    AccountsAnswer,
    AccountsQuery,
    EntriesAnswer,
    EntriesQuery,
    NewAccountBody,
)
from backend.fees.schemas import ProposedAnswer, ReasonBody
from backend.kernel.db import Tx
from backend.kernel.errors import BadRequest, Conflict, NotFound
from backend.kernel.http import Call, Route

READ, OPEN, RETURN = "fees.read", "prepaid.open", "fees.void_propose"


async def list_accounts(call: Call[None, AccountsQuery]) -> AccountsAnswer:
    return AccountsAnswer.of(
        await prepaid.of_house(call.res.db, call.principal.communities(READ), house_id=call.query.house_id)
    )


async def open_account(call: Call[NewAccountBody, None]) -> AccountAnswer:
    communities = call.principal.communities(OPEN)

    async def work(tx: Tx) -> AccountAnswer:
        account_id = await prepaid.open_for_staff(
            tx,
            call.principal.actor,
            communities=communities,
            house_id=call.body.house_id,
            purpose=call.body.purpose,
        )
        return AccountAnswer.of(await prepaid.one_of_staff(tx, communities, account_id=account_id))

    return await call.once(work, AccountAnswer)


async def list_entries(call: Call[None, EntriesQuery]) -> EntriesAnswer:
    query = call.query
    communities = call.principal.communities(READ)
    account = await prepaid.one_of_staff(call.res.db, communities, account_id=call.ids["account_id"])
    found = await prepaid.entries(call.res.db, account, before=query.before, limit=query.limit)
    return EntriesAnswer.of(account, found, limit=query.limit)


async def propose_return(call: Call[ReasonBody, None]) -> ProposedAnswer:
    async def work(tx: Tx) -> ProposedAnswer:
        return ProposedAnswer.of(
            await prepaid_returns.propose(
                tx,
                call.principal.actor,
                bill_id=call.ids["bill_id"],
                communities=call.principal.communities(RETURN),
                reason=call.body.reason,
            )
        )

    return await call.once(work, ProposedAnswer)


_ACCOUNTS = "/admin/v1/prepaid-accounts"

ROUTES = (
    Route(
        "GET", _ACCOUNTS, list_accounts, READ, "某房屋的预存账户", query=AccountsQuery, answer=AccountsAnswer,
    ),
    Route(
        "POST", _ACCOUNTS, open_account, OPEN, "为房屋开立预存账户（已有则返回原账户）", body=NewAccountBody,
        answer=AccountAnswer, status=201, creates=True, errors=(NotFound,),
    ),
    Route(
        "GET", f"{_ACCOUNTS}/{{account_id}}/entries", list_entries, READ, "预存账户对账明细", query=EntriesQuery,
        answer=EntriesAnswer, errors=(BadRequest, NotFound),
    ),
    Route(
        "POST", "/admin/v1/bills/{bill_id}/prepaid-return", propose_return, RETURN,
        "申请把账单的预存抵扣退回预存账户，由另一人审批", body=ReasonBody, answer=ProposedAnswer, status=202,
        creates=True, errors=(NotFound, Conflict),
    ),
)  # fmt: skip
