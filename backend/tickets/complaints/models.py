"""Tables of complaints, suggestions, consultations and praise (投诉, 建议, 咨询, 表扬) (D9)."""

from tortoise import fields

from backend.kernel.orm import Model
from backend.kernel.seals import SealedColumn

SEALED = (
    SealedColumn("ticket_complaint", "caller_name_sealed", key="ticket_id"),
    SealedColumn("ticket_complaint", "caller_phone_sealed", key="ticket_id"),
)


class ComplaintPolicy(Model):
    """What a company sets for complaints (投诉规则)."""

    company_id = fields.UUIDField(primary_key=True)
    promises = fields.JSONField[list[dict[str, object]]]()
    rating_tags = fields.TextField()
    dispute_category_id = fields.UUIDField(null=True)
    changed_at = fields.DatetimeField()

    class Meta:
        table = "ticket_complaint_policy"


class Cause(Model):
    """Why something went wrong (根因)."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    name = fields.TextField()
    created_at = fields.DatetimeField()
    withdrawn_at = fields.DatetimeField(null=True)

    class Meta:
        table = "ticket_cause"


class Complaint(Model):
    """What a complaint has besides the ticket (投诉登记)."""

    ticket_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    nature = fields.TextField()
    urgency = fields.TextField()
    taken_by = fields.UUIDField(null=True)
    caller_name_sealed = fields.BinaryField(null=True)
    caller_phone_sealed = fields.BinaryField(null=True)
    caller_phone_blind = fields.BinaryField(null=True)
    paper_no = fields.TextField(null=True)
    bill_id = fields.UUIDField(null=True)
    cause_id = fields.UUIDField(null=True)
    outcome = fields.TextField(null=True)

    class Meta:
        table = "ticket_complaint"


class Reporter(Model):
    """Who reported an anonymous ticket (匿名报单人)."""

    ticket_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    person_id = fields.UUIDField()
    house_id = fields.UUIDField()

    class Meta:
        table = "ticket_reporter"


class Look(Model):
    """Leave to see who reported an anonymous ticket (查看匿名报单人)."""

    approval_id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    ticket_id = fields.UUIDField()
    staff_id = fields.UUIDField()
    granted_by = fields.UUIDField()
    reason = fields.TextField()
    granted_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "ticket_look"


class RatingReply(Model):
    """What staff answer to a rating (评价回复)."""

    rating_id = fields.BigIntField(primary_key=True)
    community_id = fields.UUIDField()
    words = fields.TextField()
    replied_by = fields.UUIDField()
    replied_at = fields.DatetimeField()

    class Meta:
        table = "ticket_rating_reply"
