"""What a message means, as data: its words in the inbox, the values it carries, the page that a tap opens.

A template of WeChat's shows some of the values under its own keys; which, is configuration (`templates.py`). A new
meaning is a line here and an intent planned with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """One kind of message. `body` names values in braces; `values` lists every value that an intent must carry."""

    name: str
    title: str
    body: str
    values: tuple[str, ...]
    page: str

    def words(self, values: Mapping[str, str]) -> str:
        """The sentence that the inbox shows."""
        return self.body.format_map(values)


BILL_ISSUED = Meaning(
    name="bill_issued",
    title="新账单",
    body="{houses}的{item}（{period}）账单已出，共{amount}，请在{due_on}前缴纳。",
    values=("houses", "item", "period", "amount", "due_on"),
    page="pages/bills/index",
)
PAYMENT_RECEIVED = Meaning(
    name="payment_received",
    title="缴费成功",
    body="您的{subject}已缴费成功，金额{amount}，时间{paid_at}。感谢您的配合。",
    values=("subject", "amount", "paid_at", "order_no"),
    page="pages/payments/index",
)
PAYMENT_REFUNDED = Meaning(
    name="payment_refunded",
    title="退款成功",
    body="您的{subject}已退款{amount}，原因：{reason}。款项已按原支付方式退回，到账时间以支付渠道为准。",
    values=("subject", "amount", "reason", "refunded_at", "order_no"),
    page="pages/payments/index",
)

MEANINGS: Mapping[str, Meaning] = {
    meaning.name: meaning for meaning in (BILL_ISSUED, PAYMENT_RECEIVED, PAYMENT_REFUNDED)
}
