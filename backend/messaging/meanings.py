"""What a message means, as data: its words in the inbox, the values it carries, the page that a tap opens.

A template of WeChat's shows some of the values under its own keys; which, is configuration (`templates.py`). A new
meaning is a line here and an intent planned with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """One kind of message. `body` names values in braces; `values` lists every value that an intent must carry.

    `at_once`: an answer to what the person has just done, or of no use later: it goes in quiet hours too.
    """

    name: str
    title: str
    body: str
    values: tuple[str, ...]
    page: str
    at_once: bool = False

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
    at_once=True,
)
PAYMENT_REFUNDED = Meaning(
    name="payment_refunded",
    title="退款成功",
    body="您的{subject}已退款{amount}，原因：{reason}。款项已按原支付方式退回，到账时间以支付渠道为准。",
    values=("subject", "amount", "reason", "refunded_at", "order_no"),
    page="pages/payments/index",
)
TICKET_MOVED = Meaning(
    name="ticket_moved",
    title="工单进度",
    body="您的{category}工单（编号{no}，{where}）{state}：{note}。",
    values=("no", "category", "where", "state", "note"),
    page="pages/tickets/index",
)
FEEDBACK_MOVED = Meaning(
    name="feedback_moved",
    title="匿名反馈进度",
    body="您的匿名反馈有新进展：{state}。请点击查看，工作人员看不到您的身份。",
    values=("state",),
    page="pages/tickets/index",
)
TICKET_WORK = Meaning(
    name="ticket_work",
    title="工单待办",
    body="{category}工单（编号{no}，{where}）{move}：{note}。",
    values=("no", "category", "where", "move", "note"),
    page="pages/todo/index",
    at_once=True,
)
TICKET_OUTAGE = Meaning(
    name="ticket_outage",
    title="故障公告进展",
    body="您报修的“{title}”有新进展：{words}",
    values=("title", "words"),
    page="pages/tickets/index",
)

ACCOUNT_ANSWER = Meaning(
    name="account_answer",
    title="公众号留言的答复",
    body="{answer}",
    values=("answer",),
    page="pages/tickets/index",
    at_once=True,
)
VISITOR_WAITING = Meaning(
    name="visitor_waiting",
    title="访客在门口等候",
    body="{visitor}在{gate}等候，要来访{house}，事由：{purpose}。请在{answer_by}前确认是否放行，逾时由门岗处理。",
    values=("visitor", "gate", "house", "purpose", "answer_by"),
    page="pages/visitors/walk-ins",
    at_once=True,
)
VISITOR_ENTERED = Meaning(
    name="visitor_entered",
    title="访客已到",
    body="{visitor}已于{entered_at}从{gate}进入，来访{house}。",
    values=("visitor", "gate", "house", "entered_at"),
    page="pages/visitors/index",
    at_once=True,
)
VISITOR_OVERSTAYED = Meaning(
    name="visitor_overstayed",
    title="访客逾时未离开",
    body="来访{house}的{visitor}应于{due_out_at}前离开，目前没有离开记录。如已离开请忽略，需要延长请联系门岗。",
    values=("visitor", "house", "due_out_at"),
    page="pages/visitors/index",
)
VISIT_CHANGED = Meaning(
    name="visit_changed",
    title="访客与放行申请",
    body="您的{subject}{result}。",
    values=("subject", "result"),
    page="pages/visitors/index",
)
NOTICE = Meaning(
    name="notice",
    title="小区公告",
    body="{community}发布{kind}公告“{title}”：{summary}",
    values=("community", "kind", "title", "summary", "published_at"),
    page="pages/notices/index",
)
NOTICE_REMINDER = Meaning(
    name="notice_reminder",
    title="公告提醒",
    body="您还没有阅读{community}的{kind}公告“{title}”，请点击查看。",
    values=("community", "kind", "title", "published_at"),
    page="pages/notices/index",
)

MEANINGS: Mapping[str, Meaning] = {
    meaning.name: meaning
    for meaning in (
        BILL_ISSUED, PAYMENT_RECEIVED, PAYMENT_REFUNDED, VISITOR_WAITING, VISITOR_ENTERED, VISITOR_OVERSTAYED,
        VISIT_CHANGED, TICKET_MOVED, TICKET_WORK, TICKET_OUTAGE, FEEDBACK_MOVED, NOTICE, NOTICE_REMINDER,
        ACCOUNT_ANSWER,
    )
}  # fmt: skip
