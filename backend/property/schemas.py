"""Requests and answers of the staff's property routes, field by field. Areas in cm² (1 m² = 10 000 cm²)."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from backend.kernel.http import Page, Strict, example
from backend.property.communities import Building, Community, Unit
from backend.property.houses import Features, House
from backend.property.kinds import HouseKind

Name = Annotated[str, Field(min_length=1, max_length=60)]
Area = Annotated[int, Field(gt=0, le=10**10)]
_ID = "0198f2a0-0000-7000-8000-000000000001"


class CompanyBody(Strict):
    model_config = example(name="邻里物业服务有限公司")

    name: Name


class CompanyAnswer(Strict):
    model_config = example(id=_ID, name="邻里物业服务有限公司")

    id: UUID
    name: str


class NewCommunityBody(Strict):
    model_config = example(code="XFL", name="幸福里", address="幸福路 1 号")

    code: str = Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")
    name: Name
    address: str = Field("", max_length=200)


class CommunityBody(Strict):
    model_config = example(name="幸福里", address="幸福路 1 号")

    name: Name
    address: str = Field("", max_length=200)


class CommunityAnswer(Strict):
    model_config = example(id=_ID, code="XFL", name="幸福里", address="幸福路 1 号")

    id: UUID
    code: str
    name: str
    address: str

    @classmethod
    def of(cls, community: Community) -> "CommunityAnswer":
        return cls(id=community.id, code=community.code, name=community.name, address=community.address)


class CommunitiesAnswer(Strict):
    model_config = example(items=[])

    items: list[CommunityAnswer]


class NewBuildingBody(Strict):
    model_config = example(name="1栋", units=["1单元", "2单元"])

    name: Name
    units: list[Name] = Field(default_factory=list, max_length=50, description="empty: a building without units")


class BuildingBody(Strict):
    model_config = example(name="1栋")

    name: Name


class BuildingAnswer(Strict):
    model_config = example(id=_ID, community_id=_ID, code="1", name="1栋", house_count=40)

    id: UUID
    community_id: UUID
    code: str
    name: str
    house_count: int

    @classmethod
    def of(cls, building: Building) -> "BuildingAnswer":
        return cls(
            id=building.id,
            community_id=building.community_id,
            code=building.code,
            name=building.name,
            house_count=building.house_count,
        )


class BuildingsAnswer(Strict):
    model_config = example(items=[])

    items: list[BuildingAnswer]


class UnitBody(Strict):
    model_config = example(name="1单元")

    name: str = Field(max_length=20)


class UnitAnswer(Strict):
    model_config = example(id=_ID, building_id=_ID, code="1")

    id: UUID
    building_id: UUID
    code: str

    @classmethod
    def of(cls, unit: Unit) -> "UnitAnswer":
        return cls(id=unit.id, building_id=unit.building_id, code=unit.code)


class UnitsAnswer(Strict):
    model_config = example(items=[])

    items: list[UnitAnswer]


class HouseBody(Strict):
    model_config = example(
        kind="residence", gross_area_cm2=893_500, inner_area_cm2=712_000, floor=1, fee_coefficient="1",
        handover_on="2020-01-01", attributes={},
    )  # fmt: skip

    kind: HouseKind
    gross_area_cm2: Area | None = None
    inner_area_cm2: Area | None = None
    floor: int | None = Field(None, ge=-20, le=300)
    fee_coefficient: Decimal = Field(Decimal(1), ge=0, max_digits=8, decimal_places=4)
    handover_on: date | None = None
    attributes: dict[str, str] = Field(default_factory=dict, max_length=50)

    def features(self) -> Features:
        return Features(
            kind=self.kind,
            gross_area_cm2=self.gross_area_cm2,
            inner_area_cm2=self.inner_area_cm2,
            floor=self.floor,
            fee_coefficient=self.fee_coefficient,
            handover_on=self.handover_on,
            attributes=self.attributes,
        )


class NewHouseBody(HouseBody):
    model_config = example(unit_id=_ID, door="101", kind="residence", gross_area_cm2=893_500, floor=1)

    unit_id: UUID
    door: Name


class HouseAnswer(Strict):
    model_config = example(
        id=_ID, community_id=_ID, building_id=_ID, unit_id=_ID, code="101", label="1栋1单元101", kind="residence",
        gross_area_cm2=893_500, inner_area_cm2=712_000, floor=1, fee_coefficient="1.0000", handover_on="2020-01-01",
        attributes={}, pay_code="7QK2M9XRPA",
    )  # fmt: skip

    id: UUID
    community_id: UUID
    building_id: UUID
    unit_id: UUID
    code: str
    label: str
    kind: HouseKind
    gross_area_cm2: int | None
    inner_area_cm2: int | None
    floor: int | None
    fee_coefficient: Decimal
    handover_on: date | None
    attributes: dict[str, Any]
    pay_code: str

    @classmethod
    def of(cls, house: House) -> "HouseAnswer":
        features = house.features
        return cls(
            id=house.id,
            community_id=house.community_id,
            building_id=house.building_id,
            unit_id=house.unit_id,
            code=house.code,
            label=house.label,
            kind=features.kind,
            gross_area_cm2=features.gross_area_cm2,
            inner_area_cm2=features.inner_area_cm2,
            floor=features.floor,
            fee_coefficient=features.fee_coefficient,
            handover_on=features.handover_on,
            attributes=dict(features.attributes),
            pay_code=house.pay_code,
        )


class HousesQuery(Page):
    model_config = example(typed="1-1-101", limit=20)

    typed: str | None = Field(None, max_length=60, description="what people type: 1栋101, 1-1-101, 1号楼1单元101室")


class HousesAnswer(Strict):
    model_config = example(items=[], next_cursor=None)

    items: list[HouseAnswer]
    next_cursor: str | None = Field(description="none for a search: type more to find the rest")
