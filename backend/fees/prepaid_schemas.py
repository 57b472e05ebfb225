"""Requests and answers about prepaid accounts, for residents and staff alike. Money in fen."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from backend.fees.prepaid import Account, Entry, Purpose
from backend.kernel.http import Page, Strict, decode_cursor, encode_cursor, example

_ID = "0198f2a0-0000-7000-8000-000000000001"
_ACCOUNT = {
    "id": _ID, "house_id": _ID, "house_label": "1栋1单元101", "purpose": "property", "balance_fen": 150_000,
    "available_fen": 150_000,
}  # fmt: skip
_ENTRY = {
    "no": 1207, "title": "缴 物业费 2026年9月", "occurred_at": "2026-10-31T02:10:00+08:00", "amount_fen": -22_338,
    "balance_fen": 150_000, "bill_id": _ID,
}  # fmt: skip


class AccountAnswer(Strict):
    """A prepaid account; what is not available of its balance is on its way back by a refund."""

    model_config = example(**_ACCOUNT)

    id: UUID
    house_id: UUID
    house_label: str
    purpose: Purpose
    balance_fen: int
    available_fen: int

    @classmethod
    def of(cls, account: Account) -> Self:
        return cls(
            id=account.id,
            house_id=account.house_id,
            house_label=account.house_label,
            purpose=account.purpose,
            balance_fen=account.balance_fen,
            available_fen=account.available_fen,
        )


class AccountsAnswer(Strict):
    model_config = example(items=[_ACCOUNT])

    items: list[AccountAnswer]

    @classmethod
    def of(cls, found: Sequence[Account]) -> Self:
        return cls(items=[AccountAnswer.of(account) for account in found])


class AccountsQuery(Strict):
    """Which house."""

    house_id: UUID


class NewAccountBody(Strict):
    """An account of a house for a purpose; an open one is found again."""

    model_config = example(house_id=_ID, purpose="property")

    house_id: UUID
    purpose: Purpose


class EntriesQuery(Page):
    @property
    def before(self) -> int | None:
        """Where the page before ended."""
        return None if self.cursor is None else int(decode_cursor(self.cursor, (int,))[0])


class EntryAnswer(Strict):
    """What came in (positive) or went out, and the balance after it."""

    model_config = example(**_ENTRY)

    no: int
    title: str
    occurred_at: datetime
    amount_fen: int
    balance_fen: int
    bill_id: UUID | None


class EntriesAnswer(Strict):
    """The statement of an account, newest first."""

    model_config = example(account=_ACCOUNT, items=[_ENTRY], next_cursor=None)

    account: AccountAnswer
    items: list[EntryAnswer]
    next_cursor: str | None

    @classmethod
    def of(cls, account: Account, found: Sequence[Entry], *, limit: int) -> Self:
        return cls(
            account=AccountAnswer.of(account),
            items=[
                EntryAnswer(
                    no=entry.no,
                    title=entry.title,
                    occurred_at=entry.occurred_at,
                    amount_fen=entry.amount_fen,
                    balance_fen=entry.balance_fen,
                    bill_id=entry.bill_id,
                )
                for entry in found
            ],
            next_cursor=encode_cursor(found[-1].no) if len(found) == limit else None,
        )
