"""Act 24: the month has passed; what was left undone was done by the system, and every figure agrees."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, time, timedelta

from demo import billing, days, people
from demo.binding import SUBSCRIBED, Household
from demo.cashier import Placed
from demo.paying import Mishap
from demo.stage import Stage, yuan
from demo.web import Unexpected

# After the last day to pay of every bill of this story.
LATER = timedelta(days=27)
# The owner's bills of two items, three payments, and the bill that went back.
INBOX = ["新账单"] * 2 + ["缴费成功"] * 3 + ["退款成功"]
SCANNED_AT = time(hour=2)


@dataclass(frozen=True, slots=True)
class Start:
    """The books when the story began."""

    on: date
    template_messages: int


def begin(stage: Stage) -> Start:
    """Remember the books. Nobody begins a day's work just before midnight."""
    if stage.now().time() >= days.TOO_LATE:
        people.pass_time(stage, "11h")
    stage.books = stage.look()
    stage.started = stage.today()
    stage.reconciled = stage.started - days.A_DAY
    return Start(stage.today(), billing.template_messages(stage))


def play(stage: Stage, start: Start, home: Household, orders: list[Placed], mishap: Mishap) -> None:
    """Let the month pass and look at everything."""
    _pass_month(stage, start)
    stage.chapter("一个月之后")
    _next_month(stage)
    _overdue(stage, mishap)
    _messages(stage, start, home)
    _shipping(stage, orders)


def check(stage: Stage) -> None:
    """`linli check` agrees."""
    checked = stage.cli("check")
    last = (checked.stdout.strip().splitlines() or [checked.stderr.strip()])[-1]
    if checked.returncode != 0:
        raise Unexpected(f"linli check 没有通过：\n{checked.stdout}{checked.stderr}")
    stage.tell(f"linli check：{last}")


def _pass_month(stage: Stage, start: Start) -> None:
    first_of_next = (start.on.replace(day=1) + timedelta(days=32)).replace(day=1)
    days.pass_to(stage, max(first_of_next, start.on + LATER), SCANNED_AT)


def _next_month(stage: Stage) -> None:
    """The nightly scan, caught up for every night, has made the drafts of the next month."""
    first = stage.today().replace(day=1).isoformat()

    def look() -> dict[str, int] | None:
        runs = stage.manager.get(f"/admin/v1/billing-runs?community_id={stage.community}&state=READY&limit=100")[
            "items"
        ]
        made = {run["item_id"]: run["bill_count"] for run in runs if run["period_start"] == first}
        items = stage.manager.get(f"/admin/v1/fee-items?community_id={stage.community}")["items"]
        codes = {item["id"]: item["code"] for item in items}
        return {codes[item_id]: count for item_id, count in made.items()} if len(made) == len(items) else None

    made = stage.wait("下个月各项目的账单草稿", look)
    stage.expect("下个月物业费的草稿数", made["WYF"], made["DTF"])
    stage.tell(f"每晚的扫描已经为新的月份生成草稿：{len(made)} 个项目，其中物业费 {made['WYF']} 笔，等人核对后发布。")


def _overdue(stage: Stage, mishap: Mishap) -> None:
    payer = people.again(stage, mishap.payer)

    def look() -> str | None:
        state = str(payer.web.get(f"/api/v1/payments/{mishap.order.id}")["state"])
        return state if state == "CLOSED" else None

    stage.wait("没有支付的订单被关闭", look)
    owed = payer.web.get("/api/v1/bills?state=open")["items"]
    stage.expect(f"{payer.name}逾期的账单数", [bill["overdue"] for bill in owed], [True, True])
    stage.tell(
        f"{payer.name}没有付的那一单，向微信支付确认未收款后已关闭；她的 {len(owed)} 笔账单逾期，"
        f"共 {yuan(sum(bill['due_fen'] for bill in owed))}。"
    )


def _messages(stage: Stage, start: Start, home: Household) -> None:
    owner = people.again(stage, home.owner)
    path = f"/messages?appid={stage.data['miniprogram']}&openid={owner.openid}"
    wanted = 2 * SUBSCRIBED
    stage.wait("业主订阅的消息", lambda: True if len(stage.control("GET", path)["messages"]) >= wanted else None)
    sent = stage.control("GET", path)["messages"]
    stage.expect("每种订阅消息的条数", sorted(Counter(one["template_id"] for one in sent).values()), [SUBSCRIBED] * 2)
    inbox = [letter["title"] for letter in owner.web.get("/api/v1/messages")["items"]]
    stage.expect("业主的站内消息", sorted(inbox), INBOX)
    told = start.template_messages + 2 * billing.followers(stage) + stage.told
    stage.expect("公众号发出的消息", billing.template_messages(stage), told)
    stage.tell(
        f"微信收到并送达：{owner.name}的订阅消息 {len(sent)} 条，公众号模板消息 {told - start.template_messages} 条。"
    )


def _shipping(stage: Stage, orders: list[Placed]) -> None:
    """WeChat wants to be told that a virtual good was delivered, or it holds the money back."""
    wanted = set()
    for placed in orders:
        (attempt,) = stage.staff["cashier"].get(f"/admin/v1/orders/{placed.id}")["attempts"]
        wanted.add(attempt["transaction_no"])

    def look() -> bool | None:
        uploads = stage.control("GET", "/shipping")["uploads"]
        return True if wanted <= {upload["transaction_id"] for upload in uploads} else None

    stage.wait("发货信息上传完毕", look)
    stage.tell(f"{len(wanted)} 笔支付的发货信息都已上传给微信。")
