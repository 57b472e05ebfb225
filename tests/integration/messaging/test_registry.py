"""Pitfalls D7, E2, E3: templates are held against WeChat's own list; a sample to oneself, and WeChat's word on it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from backend import template_check
from backend.kernel.resources import Resources
from backend.messaging import registry, samples, templates
from backend.messaging.checks import CHECKS
from backend.messaging.templates import Channel
from backend.wechat import fields as wechat_fields
from tests import factories
from tests import factories_messaging as make
from tests.conftest import Client, Run, Sandbox
from tests.soundness import broken

BODY: dict[str, Any] = {
    "appid": make.MINI,
    "channel": "subscription",
    "meaning": "bill_issued",
    "template_id": "SubBillIssued",
    "fields": make.BILL_FIELDS,
}
PATH = "/admin/v1/message-templates"


@pytest.fixture
def res(sandbox_res: Resources) -> Resources:
    return sandbox_res


@pytest.fixture
def place(res: Resources, sandbox: Sandbox, run: Run) -> factories.Community:
    made: factories.Community = run(factories.community(res))
    run(make.plug_in(res, sandbox, made))
    return made


@pytest.fixture
def admin(res: Resources, place: factories.Community, run: Run) -> factories.Staff:
    made: factories.Staff = run(factories.staff(res, place, "administrator", all_communities=True))
    return made


@pytest.fixture
def boss(sandbox_client: Client, admin: factories.Staff) -> Client:
    return sandbox_client.of(admin.token)


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


async def at_wechat(sandbox: Sandbox, appid: str = make.MINI, *, kind: str = "miniprogram", **changed: Any) -> None:
    """What WeChat has for the app from now on: the bill's template, changed."""
    template = {
        "template_id": "SubBillIssued",
        "title": "账单",
        "kind": "subscribe",
        "fields": make.EXAMPLES,
        **changed,
    }
    await sandbox.ask("PUT", f"/apps/{appid}", {"secret": make.SECRET, "kind": kind, "templates": [template]})


async def problems_by_channel(res: Resources, place: factories.Community) -> dict[str, list[str]]:
    checked = await registry.check_company(res, place.company_id)
    return {one.channel: [problem["field"] for problem in one.problems] for one in checked}


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"template_id": "SubGone"}, "template_id", "没有模板“SubGone”"),
        ({"fields": {"thing1": "houses"}}, "fields.thing2", "这里没有填写"),
        ({"fields": {**make.BILL_FIELDS, "thing9": "item"}}, "fields.thing9", "请删除"),
        ({"fields": {**make.BILL_FIELDS, "enum5": "=逾期"}}, "fields.enum5", "微信登记的取值是：待缴、已缴"),
    ],
)
async def test_what_wechats_list_refutes_is_not_saved(
    sandbox: Sandbox, res: Resources, boss: Client, changed: dict[str, Any], field: str, words: str
) -> None:
    examples = {**make.EXAMPLES, **({"enum5": "待缴"} if field == "fields.enum5" else {})}
    await at_wechat(sandbox, fields=examples, consts={"enum5": ["待缴", "已缴"]})
    refused = await boss.call("PUT", PATH, {**BODY, **changed})
    assert (refused.status, refused.code) == (422, "invalid")
    told = refused.json["error"]["details"]["fields"]
    assert field in {each["field"] for each in told}
    assert any(words in each["message"] for each in told)
    assert await res.db.fetchval("SELECT count(*) FROM message_template WHERE checked_at IS NOT NULL") == 0


async def test_what_fits_is_saved_with_the_choices_that_wechat_allows(
    sandbox: Sandbox, res: Resources, boss: Client
) -> None:
    await at_wechat(sandbox, fields={**make.EXAMPLES, "enum5": "待缴"}, consts={"enum5": ["待缴", "已缴"]})
    saved = await boss.call("PUT", PATH, {**BODY, "fields": {**make.BILL_FIELDS, "enum5": "period"}})
    mine = next(item for item in saved.json["items"] if item["appid"] == make.MINI)
    assert mine["allowed"] == {"enum5": ["待缴", "已缴"]}
    assert mine["problems"] == []
    assert mine["checked_at"] is not None


async def test_a_value_that_wechat_has_not_registered_is_found_before_sending(
    sandbox: Sandbox, res: Resources, place: factories.Community
) -> None:
    """Pitfalls E3: an enum takes one of its values; what the meaning carries is another."""
    who = await make.reader(res, sandbox, 1, follows=True)
    await res.db.execute(
        """UPDATE message_template SET fields = fields || '{"const5": "period"}', allowed = '{"const5": ["待缴"]}'
            WHERE kind = 'template'"""
    )
    await make.plan_bills(res, place, [who.id])
    await make.work_due(res)
    row = await make.intent(res, who.id)
    assert row["state"] == "PARKED"
    assert "微信登记的取值是：待缴" in str(row["error"])
    assert (await sandbox.ask("GET", "/messages"))["messages"] == []


async def test_wechat_away_leaves_it_saved_and_unchecked(res: Resources, sandbox: Sandbox, boss: Client) -> None:
    await sandbox.ask("PUT", "/hostile", {"token": ["500"] * 3})
    saved = await boss.call("PUT", PATH, BODY)
    assert saved.status == 200
    assert [item["checked_at"] for item in saved.json["items"]] == [None, None]


async def test_the_daily_look_lists_what_has_gone_wrong_and_what_is_right_again(
    sandbox: Sandbox, res: Resources, place: factories.Community, boss: Client
) -> None:
    await registry.check_all(res, "2026-09-01")
    assert await res.db.fetchval("SELECT count(*) FROM message_template WHERE problems = '[]'") == 2
    await at_wechat(sandbox, template_id="SubOther")
    await registry.check_all(res, "2026-09-02")
    wrong = {item["channel"]: item["problems"] for item in (await boss.get(PATH)).json["items"]}
    assert wrong["template"] == []
    assert [problem["field"] for problem in wrong["subscription"]] == ["template_id"]
    await at_wechat(sandbox)
    assert (await boss.post(f"{PATH}/check")).json["items"][0]["problems"] == []


async def test_a_refusal_of_the_whole_account_is_a_clear_sentence(
    sandbox: Sandbox, res: Resources, place: factories.Community, boss: Client
) -> None:
    """48001: the account may not call the interface at all (pitfalls D7)."""
    await at_wechat(sandbox, make.OFFICIAL, kind="miniprogram")
    listed = (await boss.get(f"/admin/v1/message-apps/{make.OFFICIAL}/templates")).json
    assert listed["items"] == []
    assert "已认证的服务号" in listed["refusal"]
    assert "48001" in listed["refusal"]
    found = await problems_by_channel(res, place)
    assert found == {"template": ["appid"], "subscription": []}


async def test_what_could_not_be_asked_stands_as_it_was(
    sandbox: Sandbox, res: Resources, place: factories.Community
) -> None:
    await at_wechat(sandbox, template_id="SubOther")
    await problems_by_channel(res, place)
    await sandbox.ask("POST", "/tokens/invalidate", {"appid": make.MINI})
    await sandbox.ask("PUT", "/hostile", {"token": ["500"] * 5})
    assert (await problems_by_channel(res, place))["subscription"] == ["template_id"]


async def test_what_was_saved_while_wechat_was_asked_is_left_alone(
    res: Resources, place: factories.Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = registry.listing

    async def slow(res: Resources, appid: str) -> registry.Listing:
        await res.db.execute("UPDATE message_template SET updated_at = $1", res.clock.now() + timedelta(seconds=5))
        return await ask(res, appid)

    monkeypatch.setattr(registry, "listing", slow)
    await registry.check_company(res, place.company_id)
    assert await res.db.fetchval("SELECT count(*) FROM message_template WHERE checked_at IS NULL") == 2


async def test_the_lists_of_wechat_are_shown_app_by_app(boss: Client) -> None:
    for appid, template_id in ((make.MINI, "SubBillIssued"), (make.OFFICIAL, "TplBillIssued")):
        listed = (await boss.get(f"/admin/v1/message-apps/{appid}/templates")).json
        assert listed["refusal"] is None
        assert [(one["template_id"], one["keys"]) for one in listed["items"]] == [(template_id, list(make.EXAMPLES))]
    assert (await boss.get("/admin/v1/message-apps/wxunknown/templates")).status == 404


async def test_the_command_prints_every_template_and_judges(
    sandbox: Sandbox, res: Resources, place: factories.Community, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await template_check.judge(res) == 0
    assert "共 2 个模板，全部与微信相符。" in capsys.readouterr().out
    await at_wechat(sandbox, template_id="SubOther")
    assert await template_check.judge(res) == 1
    said = capsys.readouterr().out
    assert f"✗ 新账单（{make.MINI} SubBillIssued）" in said
    assert "共 2 个模板，1 个有问题。" in said


# A sample to oneself.


async def bound(res: Resources, sandbox: Sandbox, admin: factories.Staff, *, follows: bool = True) -> str:
    """The administrator has bound the official account and the mini-program; the WeChat user."""
    user_id: str = (await sandbox.ask("POST", "/users", {"nickname": "管理员"}))["user_id"]
    for appid in (make.OFFICIAL, make.MINI):
        openid = (await sandbox.ask("GET", f"/users/{user_id}/openid?appid={appid}"))["openid"]
        await res.db.execute(
            """INSERT INTO wechat_user (id, appid, openid, staff_id, created_at)
               VALUES (gen_random_uuid(), $1, $2, $3, $4)""",
            appid, openid, admin.id, res.clock.now(),
        )  # fmt: skip
    if follows:
        await sandbox.ask("POST", f"/users/{user_id}/follow", {"appid": make.OFFICIAL})
    return user_id


async def path_of(res: Resources, channel: Channel) -> str:
    return f"{PATH}/{await res.db.fetchval('SELECT id FROM message_template WHERE kind = $1', channel)}/test"


async def test_a_sample_arrives_at_ones_own_wechat_and_is_audited(
    sandbox: Sandbox, res: Resources, admin: factories.Staff, boss: Client
) -> None:
    await bound(res, sandbox, admin)
    told = await boss.post(await path_of(res, Channel.TEMPLATE))
    assert told.json == {"accepted": True, "errcode": None, "words": "微信已接受，请在手机上查看。"}
    assert len((await sandbox.ask("GET", "/messages"))["messages"]) == 1
    assert await res.db.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'message_template.tested'") == 1
    assert await res.db.fetchval("SELECT used FROM send_quota") == 1


async def test_what_wechat_says_against_it_is_told_in_chinese(
    sandbox: Sandbox, res: Resources, admin: factories.Staff, boss: Client
) -> None:
    await bound(res, sandbox, admin, follows=False)
    told = (await boss.post(await path_of(res, Channel.TEMPLATE))).json
    assert (told["accepted"], told["errcode"]) == (False, 43004)
    assert told["words"].startswith("这位用户没有关注公众号")
    told = (await boss.post(await path_of(res, Channel.SUBSCRIPTION))).json
    assert (told["accepted"], told["errcode"]) == (False, 43101)
    assert await res.db.fetchval("SELECT bool_and(reachable) FROM wechat_user")


async def test_without_a_bound_wechat_nothing_is_sent_though_a_resident_has_one(
    sandbox: Sandbox, res: Resources, boss: Client
) -> None:
    await make.reader(res, sandbox, 1, follows=True)
    refused = await boss.post(await path_of(res, Channel.TEMPLATE))
    assert (refused.status, refused.code) == (409, "wechat_not_bound")
    assert await res.db.fetchval("SELECT count(*) FROM send_quota") == 0


async def test_samples_are_few(sandbox: Sandbox, res: Resources, admin: factories.Staff, boss: Client) -> None:
    path = await path_of(res, Channel.TEMPLATE)
    answers = [(await boss.post(path)).status for _ in range(11)]
    assert answers == [409] * 10 + [429]


async def test_a_sample_counts_against_the_days_limit(
    sandbox: Sandbox, res: Resources, admin: factories.Staff, boss: Client
) -> None:
    await bound(res, sandbox, admin)
    await res.db.execute("INSERT INTO send_limit VALUES ($1, 'template', 1, 100)", make.OFFICIAL)
    path = await path_of(res, Channel.TEMPLATE)
    assert (await boss.post(path)).status == 200
    assert (await boss.post(path)).code == "send_quota_used_up"
    assert len((await sandbox.ask("GET", "/messages"))["messages"]) == 1


async def test_a_sample_fits_every_kind_of_field(res: Resources, place: factories.Community) -> None:
    for kind in wechat_fields.RULES:
        await res.db.execute(
            """UPDATE message_template SET fields = jsonb_build_object($1::text, 'period', 'thing9', '=固定'),
                                           allowed = '{}'""",
            f"{kind}1",
        )
        template = (await templates.of_companies(res.db, [place.company_id]))[0]
        data = samples.data_of(res, template)
        assert templates.unfit(data, {}) is None, kind
        assert data["thing9"] == "固定"
