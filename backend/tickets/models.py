"""Tables of tickets (工单: 报修, 投诉, 建议, 咨询, 表扬) (D9)."""

from tortoise import fields

from backend.kernel.orm import Model


class TicketRule(Model):
    """What a company sets for all of its tickets (工单规则): working hours and limits."""

    company_id = fields.UUIDField(primary_key=True)
    hours = fields.JSONField[list[list[str]]]()
    resident_daily = fields.IntField()
    worker_open = fields.IntField()
    changed_at = fields.DatetimeField()

    class Meta:
        table = "ticket_rule"


class TicketCategory(Model):
    """A category (工单类别) and what is promised for it."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    community_id = fields.UUIDField(null=True)
    parent_id = fields.UUIDField(null=True)
    name = fields.TextField()
    kind = fields.TextField()
    dispatch = fields.TextField()
    measure = fields.TextField()
    respond_within = fields.IntField(null=True)
    arrive_within = fields.IntField(null=True)
    finish_within = fields.IntField(null=True)
    follow_up = fields.TextField()
    paid = fields.BooleanField()
    needs_approval = fields.BooleanField()
    warranty_days = fields.IntField()
    auto_sign_off_days = fields.IntField()
    reopen_days = fields.IntField()
    daily = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket_category"


class Ticket(Model):
    """A ticket (工单) and where it stands."""

    id = fields.UUIDField(primary_key=True)
    no = fields.BigIntField(generated=True)
    community_id = fields.UUIDField()
    category_id = fields.UUIDField()
    kind = fields.TextField()
    state = fields.TextField()
    channel = fields.TextField()
    house_id = fields.UUIDField(null=True)
    person_id = fields.UUIDField(null=True)
    place = fields.TextField(null=True)
    description = fields.TextField()
    urgent = fields.BooleanField()
    anonymous = fields.BooleanField()
    round = fields.IntField()
    resumes_to = fields.TextField(null=True)
    paused_until = fields.DatetimeField(null=True)
    merged_into = fields.UUIDField(null=True)
    approved_at = fields.DatetimeField(null=True)
    warranty_until = fields.DateField(null=True)
    submitted_at = fields.DatetimeField()
    moved_at = fields.DatetimeField()
    done_at = fields.DatetimeField(null=True)
    closed_at = fields.DatetimeField(null=True)
    building_id = fields.UUIDField(null=True)
    outage_id = fields.UUIDField(null=True)
    urged_times = fields.IntField()
    urged_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket"


class TicketEvent(Model):
    """What happened to a ticket (工单进度); append-only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    move = fields.TextField()
    from_state = fields.TextField(null=True)
    to_state = fields.TextField()
    at = fields.DatetimeField()
    actor_kind = fields.TextField()
    actor_id = fields.UUIDField(null=True)
    reason = fields.TextField(null=True)
    details = fields.JSONField[dict[str, object]]()
    media_ids = fields.TextField(null=True)

    class Meta:
        table = "ticket_event"


class TicketAssignment(Model):
    """Who has a ticket in hand, or had (派单记录)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    staff_id = fields.UUIDField()
    assigned_by = fields.UUIDField(null=True)
    assigned_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    ended_as = fields.TextField(null=True)

    class Meta:
        table = "ticket_assignment"


class TicketClock(Model):
    """What is promised for a round of a ticket (时限)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    round = fields.IntField()
    kind = fields.TextField()
    measure = fields.TextField()
    within = fields.IntField()
    started_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    paused_at = fields.DatetimeField(null=True)
    paused_s = fields.BigIntField()
    stopped_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket_clock"


class TicketRating(Model):
    """What the resident says about a round of a ticket (评价)."""

    id = fields.BigIntField(primary_key=True, generated=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    round = fields.IntField()
    stars = fields.IntField()
    tags = fields.TextField()
    words = fields.TextField()
    rated_at = fields.DatetimeField()

    class Meta:
        table = "ticket_rating"
