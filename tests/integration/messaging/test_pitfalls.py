"""Pitfalls D and E (protocols/pitfalls.md), as far as they speak of tokens and messages: every row is a named test.

| row | test |
| --- | --- |
| D1 | tests/faults/test_messages.py::test_two_api_processes_and_two_workers_refresh_a_dead_token_once |
| D2 | tests/integration/wechat/test_api.py::test_a_lasting_refusal_costs_one_refresh_and_one_repetition |
| D2 | test_d2_a_lasting_40001_of_a_whole_job_asks_for_few_tokens |
| D3 | test_d3_d4_only_the_stable_token_is_asked_for_and_never_forced |
| D4 | test_d3_d4_only_the_stable_token_is_asked_for_and_never_forced |
| D5 | test_d5_an_address_that_is_not_listed_is_asked_about_once_and_staff_are_told_which |
| D6 | test_d6_d7_e4_e5_what_only_people_can_mend_is_parked_with_what_to_do |
| D7 | test_d6_d7_e4_e5_what_only_people_can_mend_is_parked_with_what_to_do |
| D7 | tests/integration/messaging/test_registry.py::test_a_refusal_of_the_whole_account_is_a_clear_sentence |
| D8 | test_d8_a_used_up_day_stops_the_calls_at_once |
| D8 | tests/integration/messaging/test_sending.py::test_the_daily_limit_of_wechat_stops_the_day_and_the_rest_goes_next_morning |
| D9 | tests/integration/messaging/test_sending.py::test_a_busy_answer_is_tried_again_and_costs_no_credit |
| D9 | test_d9_a_broken_answer_is_repeated_with_the_same_key |
| D11 | test_d11_no_token_stands_in_what_is_stored |
| E1 | tests/integration/messaging/test_sending.py::test_a_used_up_subscription_is_zeroed_and_left_to_the_inbox |
| E1 | tests/integration/messaging/test_consents.py::test_the_ledger_says_how_somebody_stands_and_when_asking_is_worthwhile |
| E2 | tests/integration/messaging/test_sending.py::test_values_are_fitted_to_the_fields_before_sending |
| E2 | tests/integration/wechat/test_api.py::test_every_fitted_value_is_taken |
| E3 | tests/integration/messaging/test_registry.py::test_a_value_that_wechat_has_not_registered_is_found_before_sending |
| E3 | tests/integration/messaging/test_registry.py::test_what_wechats_list_refutes_is_not_saved |
| E4 | test_d6_d7_e4_e5_what_only_people_can_mend_is_parked_with_what_to_do |
| E5 | test_d6_d7_e4_e5_what_only_people_can_mend_is_parked_with_what_to_do |
| E6 | test_e6_whoever_cannot_be_reached_is_marked_and_left_alone |
| E6 | tests/integration/messaging/test_deliveries.py::test_whoever_blocks_the_account_is_not_written_to_through_it_again |
| E7 | tests/integration/messaging/test_sending.py::test_a_template_message_of_unknown_outcome_is_repeated_with_the_same_key_and_arrives_once |
| E7 | tests/integration/wechat/test_api.py::test_a_template_message_repeated_with_its_key_is_sent_once |
| E8 | tests/integration/messaging/test_deliveries.py::test_a_result_that_comes_before_our_answer_is_stored_is_not_lost |
| E9 | tests/integration/messaging/test_consents.py::test_what_wechat_alone_tells_counts_in_either_form |
| E9 | tests/unit/messaging/test_results.py::test_a_list_is_an_object_for_one_and_an_array_for_several |

D10 and E10 to E20 are of the push server, logins and codes, and are tested there.
"""  # noqa: E501 - a table of names

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.kernel.resources import Resources
from backend.messaging import parked
from backend.messaging.checks import CHECKS
from tests import factories
from tests import factories_messaging as make
from tests.conftest import Run, Sandbox
from tests.soundness import broken

HERE = Path(__file__)
ROOT = HERE.parents[3]
FETCH = "POST /cgi-bin/stable_token"
SEND = "POST /cgi-bin/message/template/send"


@pytest.fixture
def res(sandbox_res: Resources) -> Resources:
    return sandbox_res


@pytest.fixture
def place(res: Resources, sandbox: Sandbox, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    run(make.plug_in(res, sandbox, made))
    return made


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


def test_every_row_names_a_test_that_there_is() -> None:
    rows = re.findall(r"^\| ([DE]\d+) \| (\S+) \|$", __doc__ or "", re.MULTILINE)
    assert {row for row, _ in rows} == {f"D{n}" for n in (*range(1, 10), 11)} | {f"E{n}" for n in range(1, 10)}
    for row, name in rows:
        path, _, function = name.rpartition("::")
        assert f"def {function}(" in (ROOT / path if path else HERE).read_text(), row


async def stats(sandbox: Sandbox) -> dict[str, int]:
    counted: dict[str, int] = await sandbox.ask("GET", "/stats")
    return counted


async def warmed(res: Resources, sandbox: Sandbox, place: factories.Community, count: int) -> list[make.Reader]:
    """Followers; the first of them has had a message, so that there is a token."""
    readers = [await make.reader(res, sandbox, number, follows=True) for number in range(1, count + 1)]
    await make.plan_bills(res, place, [readers[0].id], event_key="warm")
    await make.work_due(res)
    return readers


async def tell(res: Resources, place: factories.Community, readers: list[make.Reader]) -> None:
    await make.plan_bills(res, place, [reader.id for reader in readers], event_key="told")
    await make.work_due(res)


async def told_states(res: Resources) -> dict[str, int]:
    rows = await res.db.fetch("SELECT state, count(*) AS n FROM message_intent WHERE event_key = 'told' GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


async def test_d2_a_lasting_40001_of_a_whole_job_asks_for_few_tokens(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    readers = await warmed(res, sandbox, place, 12)
    before = await stats(sandbox)
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": 40001}] * 100})
    await tell(res, place, readers)
    after = await stats(sandbox)
    assert after[SEND] - before[SEND] == 2 * 12
    assert after[FETCH] - before[FETCH] == 1
    assert await told_states(res) == {"PENDING": 12}


async def test_d3_d4_only_the_stable_token_is_asked_for_and_never_forced(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    readers = await warmed(res, sandbox, place, 2)
    await sandbox.ask("POST", "/tokens/invalidate", {"appid": make.OFFICIAL})
    await tell(res, place, readers)
    counted = await stats(sandbox)
    assert await told_states(res) == {"SENT": 2}
    assert counted[FETCH] == 2
    assert not [name for name in counted if "force_refresh" in name or name == "GET /cgi-bin/token"]


async def test_d5_an_address_that_is_not_listed_is_asked_about_once_and_staff_are_told_which(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    readers = [await make.reader(res, sandbox, number, follows=True) for number in range(1, 6)]
    refusal = {"errcode": 40164, "errmsg": "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist"}
    await sandbox.ask("PUT", "/hostile", {"token": [refusal] * 10})
    await tell(res, place, readers)
    assert (await stats(sandbox))[FETCH] == 1
    found = await parked.messages(res.db, [place.id], after=None, limit=10)
    assert len(found) == 5
    assert "203.0.113.9" in str(found[0].error)
    assert "白名单" in found[0].advice


@pytest.mark.parametrize(
    ("errcode", "words"),
    [
        (89503, "管理员"), (89506, "管理员"), (89507, "管理员"),
        (48001, "已认证的服务号"), (48004, "封禁"), (43107, "封禁"), (50007, "停用"),
        (45168, "修改内容"), (41030, "页面"), (40243, "解冻"), (40125, "AppSecret"),
    ],
)  # fmt: skip
async def test_d6_d7_e4_e5_what_only_people_can_mend_is_parked_with_what_to_do(
    res: Resources, sandbox: Sandbox, place: factories.Community, errcode: int, words: str
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": errcode}]})
    await tell(res, place, [who])
    found = await parked.messages(res.db, [place.id], after=None, limit=10)
    assert [one.errcode for one in found] == [errcode]
    assert words in found[0].advice
    assert (await stats(sandbox))[SEND] == 1


async def test_d8_a_used_up_day_stops_the_calls_at_once(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    readers = await warmed(res, sandbox, place, 60)
    before = await stats(sandbox)
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": 45009}] * 100})
    await tell(res, place, readers)
    first = await stats(sandbox)
    assert first[SEND] - before[SEND] < 60
    await make.work_due(res)
    assert (await stats(sandbox))[SEND] == first[SEND]
    assert await told_states(res) == {"PENDING": 60}


async def test_d9_a_broken_answer_is_repeated_with_the_same_key(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    await sandbox.ask("PUT", "/hostile", {"messages": ["500"]})
    await tell(res, place, [who])
    assert await told_states(res) == {"SENDING": 1}
    await res.db.execute("UPDATE outbox SET run_at = $1 WHERE state = 'READY'", res.clock.now())
    await make.work_due(res)
    assert await told_states(res) == {"SENT": 1}
    sent = (await sandbox.ask("GET", "/messages"))["messages"]
    assert [one["client_msg_id"] for one in sent] == [(await make.intent(res, who.id))["id"].hex]  # type: ignore[attr-defined]


async def test_d11_no_token_stands_in_what_is_stored(
    res: Resources, sandbox: Sandbox, place: factories.Community, impatient: None
) -> None:
    readers = await warmed(res, sandbox, place, 3)
    await sandbox.ask("PUT", "/hostile", {"messages": ["500", "act_then_hang", {"errcode": 40037}]})
    await tell(res, place, readers)
    kept = await res.redis.get(f"wechat:token:{make.OFFICIAL}")
    token = kept.decode().partition(" ")[2]
    stored = await res.db.fetchval(
        """SELECT string_agg(t, ' ') FROM (
               SELECT i::text AS t FROM message_intent i UNION ALL SELECT o::text FROM outbox o
               UNION ALL SELECT a::text FROM audit_entry a) AS everything"""
    )
    assert len(token) > 20
    assert token not in stored
    assert "access_token=" not in stored


@pytest.mark.parametrize("errcode", [43004, 43019, 48002, 50005])
async def test_e6_whoever_cannot_be_reached_is_marked_and_left_alone(
    res: Resources, sandbox: Sandbox, place: factories.Community, errcode: int
) -> None:
    who = await make.reader(res, sandbox, 1, follows=True)
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": errcode}]})
    await tell(res, place, [who])
    assert await res.db.fetchval("SELECT reachable FROM wechat_user WHERE appid = $1", make.OFFICIAL) is False
    await make.work_due(res)
    assert await told_states(res) == {"INBOX_ONLY": 1}
    assert (await stats(sandbox))[SEND] == 1


async def test_a_subscriber_who_cannot_be_reached_keeps_the_credit_and_the_letter(
    res: Resources, sandbox: Sandbox, place: factories.Community
) -> None:
    who = await make.reader(res, sandbox, 1, credits=1)
    await sandbox.ask("PUT", "/hostile", {"messages": [{"errcode": 43004}]})
    await tell(res, place, [who])
    assert await told_states(res) == {"INBOX_ONLY": 1}
    assert await res.db.fetchval("SELECT credits FROM message_consent") == 1
