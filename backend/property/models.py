"""Tables of property (D1, S1)."""

from tortoise import fields

from backend.kernel.orm import Model


class Company(Model):
    """A property company (物业公司)."""

    id = fields.UUIDField(primary_key=True)
    name = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "company"


class Community(Model):
    """A residential community (小区)."""

    id = fields.UUIDField(primary_key=True)
    company_id = fields.UUIDField()
    code = fields.TextField()
    name = fields.TextField()
    address = fields.TextField(default="")
    created_at = fields.DatetimeField()

    class Meta:
        table = "community"


class Building(Model):
    """A building (楼栋)."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    code = fields.TextField()
    name = fields.TextField()

    class Meta:
        table = "building"


class Unit(Model):
    """A unit, one staircase of a building (单元); the empty code where a building has none."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    building_id = fields.UUIDField()
    code = fields.TextField()

    class Meta:
        table = "unit"


class House(Model):
    """A house (房屋): residence, shop, storage or parking space for sale. Areas in cm²."""

    id = fields.UUIDField(primary_key=True)
    no = fields.BigIntField(generated=True)
    community_id = fields.UUIDField()
    building_id = fields.UUIDField()
    unit_id = fields.UUIDField()
    code = fields.TextField()
    label = fields.TextField()
    search_key = fields.TextField()
    kind = fields.TextField()
    gross_area_cm2 = fields.BigIntField(null=True)
    inner_area_cm2 = fields.BigIntField(null=True)
    floor = fields.IntField(null=True)
    fee_coefficient = fields.DecimalField(max_digits=8, decimal_places=4)
    handover_on = fields.DateField(null=True)
    attributes: fields.JSONField[dict[str, object]] = fields.JSONField()
    pay_code = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "house"


class Occupancy(Model):
    """Who lives where, as what, from when until when (住户): `ends_on` is the first day without the tie."""

    id = fields.UUIDField(primary_key=True)
    community_id = fields.UUIDField()
    house_id = fields.UUIDField()
    house_no = fields.BigIntField()
    person_id = fields.UUIDField()
    person_no = fields.BigIntField()
    role = fields.TextField()
    starts_on = fields.DateField()
    ends_on = fields.DateField(null=True)
    source = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "occupancy"


class CalendarYear(Model):
    """A year of a company's holidays and working weekends (节假日, 调休)."""

    company_id = fields.UUIDField(primary_key=True)
    year = fields.IntField()
    days = fields.JSONField[list[object]]()
    changed_at = fields.DatetimeField()

    class Meta:
        table = "calendar_year"
