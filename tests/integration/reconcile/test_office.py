"""The office's side over HTTP: runs and what they found, the bank's file, the closing report, a write-off."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from payments.reconcile.runs import DUE
from tests import factories
from tests.conftest import Client
from tests.factories_payments import sound
from tests.factories_reconcile import Books
from tests.factories_statements import DAY, payment

LAYOUT = {"name": "工商银行", "booked_on": "交易日期", "income": "收入", "expense": "支出", "summary": "摘要"}
RUNS = "/admin/v1/reconciliation-runs"


async def office(books: Books, client: Client) -> Client:
    place = books.stage.place
    return client.of((await factories.staff(books.res, place, "administrator", all_communities=True)).token)


async def test_a_run_and_what_it_found_are_shown(books: Books, client: Client, tmp_path: Path) -> None:
    row = await books.pay(10_000)
    await books.trades(tmp_path, [row, payment(9, 500)])
    staff = await office(books, client)
    (run,) = (await staff.get(f"{RUNS}?day={DAY}")).json["items"]
    assert (run["state"], run["lines"], run["matched"], run["open"]) == ("DONE", 2, 1, 1)
    (found,) = (await staff.get(f"{RUNS}/{run['id']}/differences")).json["items"]
    assert (found["kind"], found["actual_fen"], found["statement_fen"]) == ("missing_here", 500, 500)
    closing = (await staff.get(f"/admin/v1/closing-day?day={DAY}")).json
    assert closing["agrees"] and all(side["agrees"] for side in closing["sides"])
    assert sorted(side["received_fen"] for side in closing["sides"]) == [0, 10_000]


async def test_a_forced_run_is_a_job_with_a_reason(books: Books, client: Client) -> None:
    staff = await office(books, client)
    body = {"merchant_id": str(books.stage.merchant_id), "day": f"{DAY - timedelta(days=1)}", "kind": "trades",
            "reason": "渠道更正了账单"}  # fmt: skip
    assert (await staff.post(RUNS, body)).status == 201
    assert await books.stage.count("outbox WHERE event = $1 AND (payload ->> 'force')::boolean", DUE) == 1
    assert await books.stage.count("audit_entry WHERE action = 'payments.reconciliation_forced'") == 1
    refused = await staff.post(RUNS, {**body, "day": f"{DAY}"})
    assert (refused.status, refused.code) == (409, "day_not_over")


async def test_a_bank_file_is_previewed_refused_imported_and_known(books: Books, client: Client) -> None:
    staff = await office(books, client)
    layout = (await staff.post("/admin/v1/bank-layouts", LAYOUT)).json["id"]
    path = f"/admin/v1/bank-files?layout_id={layout}&file_name={quote('九月.csv')}"
    good = "交易日期,收入,支出,摘要\r\n2026-09-01,12.00,,结算\r\n".encode("gb18030")
    bad = good.replace(b"12.00", b"1O.00")
    shown = await staff.call("POST", path.replace("bank-files?", "bank-files/preview?"), raw=bad)
    assert [each["column"] for each in shown.json["problems"]] == ["收入"]
    assert (await staff.call("POST", path, raw=bad)).code == "bank_file_problems"
    done = await staff.call("POST", path, raw=good)
    assert (done.status, done.json["new"]) == (201, 1)
    assert (await staff.call("POST", path, raw=good)).code == "bank_file_known"
    (line,) = (await staff.get("/admin/v1/bank-lines")).json["items"]
    assert (line["amount_fen"], line["matched_kind"]) == (1_200, None)
    assert (await staff.post(f"/admin/v1/bank-lines/{line['id']}/set-aside", {"reason": "股东借款"})).status == 200
    assert (await staff.get("/admin/v1/bank-lines")).json["items"] == []


async def test_who_asks_for_a_write_off_does_not_approve_it(books: Books, client: Client, tmp_path: Path) -> None:
    row = await books.pay(10_000)
    await books.run(tmp_path, None)
    await books.run(tmp_path, None, day=DAY + timedelta(days=1))
    first, second = await office(books, client), await office(books, client)
    (difference,) = (await first.get("/admin/v1/differences")).json["items"]
    asked = await first.post(f"/admin/v1/differences/{difference['id']}/write-off", {"reason": "渠道确认无此款"})
    assert asked.status == 201, asked.body
    path = f"/admin/v1/approvals/{asked.json['approval_id']}/decision"
    refused = await first.post(path, {"approve": True, "note": "同意"})
    assert (refused.status, refused.code) == (403, "second_person_required")
    assert (await second.post(path, {"approve": True, "note": "同意"})).status == 200
    assert await books.found() == [("missing_there", "RESOLVED", row.transaction_no)]
    await sound(books.res)
