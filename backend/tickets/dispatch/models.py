"""Tables around the dispatch of tickets: rules, duty, turns, alarms, outages (D9)."""

from tortoise import fields

from backend.kernel.orm import Model


class TicketHandling(Model):
    """How a company handles tickets, of all categories or of one (督办规则)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    company_id = fields.UUIDField()
    category_id = fields.UUIDField(null=True)
    at_once = fields.BooleanField()
    warn_before_m = fields.IntField()
    escalate_after_m = fields.IntField()
    urge_times = fields.IntField()
    urge_hours = fields.IntField()
    similar_days = fields.IntField()
    changed_at = fields.DatetimeField()

    class Meta:
        table = "ticket_handling"


class TicketDuty(Model):
    """A shift of the weekly plan (值班表)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    staff_id = fields.UUIDField()
    weekday = fields.IntField()
    opens_m = fields.IntField()
    closes_m = fields.IntField()

    class Meta:
        table = "ticket_duty"


class TicketDutyException(Model):
    """What differs from the plan (替班, 请假)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    staff_id = fields.UUIDField()
    starts_at = fields.DatetimeField()
    ends_at = fields.DatetimeField()
    on_duty = fields.BooleanField()
    note = fields.TextField()
    entered_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket_duty_exception"


class TicketSkill(Model):
    """A category that a worker does (技能)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    staff_id = fields.UUIDField()
    category_id = fields.UUIDField()

    class Meta:
        table = "ticket_skill"


class TicketPatch(Model):
    """A building that a worker looks after (责任楼栋)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    staff_id = fields.UUIDField()
    building_id = fields.UUIDField()

    class Meta:
        table = "ticket_patch"


class TicketTurn(Model):
    """The last number that a worker has drawn (轮值)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    staff_id = fields.UUIDField()
    turn = fields.BigIntField()

    class Meta:
        table = "ticket_turn"


class TicketAlarm(Model):
    """A promise whose end was told of (预警, 升级)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    clock_id = fields.BigIntField()
    level = fields.TextField()
    at = fields.DatetimeField()

    class Meta:
        table = "ticket_alarm"


class TicketOutage(Model):
    """An outage that binds tickets (停水, 停电, 故障公告)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    category_id = fields.UUIDField(null=True)
    building_id = fields.UUIDField(null=True)
    title = fields.TextField()
    words = fields.TextField()
    state = fields.TextField()
    began_at = fields.DatetimeField()
    expected_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket_outage"


class TicketOutageNote(Model):
    """What was told of an outage (公告进展); append-only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    outage_id = fields.UUIDField()
    at = fields.DatetimeField()
    staff_id = fields.UUIDField()
    words = fields.TextField()

    class Meta:
        table = "ticket_outage_note"
