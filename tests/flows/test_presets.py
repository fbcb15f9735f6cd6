"""A preset gives a flow its schema, its rules and its lists, once."""

import pytest

from flows.models import Field, Rule, SuppressionList
from flows.presets import PRESETS, set_up_flow
from tests import factories as make


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_makes_its_fields_in_order(db, preset):
    flow = make.FlowFactory()
    set_up_flow(flow, preset)
    assert [field.name for field in flow.fields.all()] == [each.name for each in PRESETS[preset]]


def test_the_default_mapping_is_the_seeds(db):
    flow = make.FlowFactory()
    set_up_flow(flow)
    mapped = dict(flow.fields.exclude(maps_to="").values_list("name", "maps_to"))
    assert mapped == {
        "outcome": "buyer_status",
        "revenue": "sale_amount",
        "quality_score": "buyer_rating",
        "contacted_date": "first_contact",
    }


def test_setting_up_twice_changes_nothing(db):
    flow = make.FlowFactory()
    set_up_flow(flow, "insurance")
    Rule.objects.filter(flow=flow, action="pause_source").update(threshold="2.5")
    before = (Field.objects.count(), Rule.objects.count(), SuppressionList.objects.count())
    set_up_flow(flow, "insurance")
    assert (Field.objects.count(), Rule.objects.count(), SuppressionList.objects.count()) == before
    assert float(Rule.objects.get(action="pause_source").threshold) == 2.5


def test_two_flows_of_a_seller_share_the_lists(db):
    seller = make.SellerFactory()
    for _ in range(2):
        set_up_flow(make.FlowFactory(seller=seller))
    assert sorted(seller.suppression_lists.values_list("slug", flat=True)) == ["bad-sources", "returns"]


def test_an_unknown_preset_is_refused(db):
    with pytest.raises(KeyError):
        set_up_flow(make.FlowFactory(), "boat")


def test_every_change_of_a_field_raises_the_schema_version(db):
    flow = make.FlowFactory()
    versions = [flow.schema_version]

    def changed():
        flow.refresh_from_db()
        versions.append(flow.schema_version)

    field = Field.objects.create(flow=flow, name="notes", kind="text")
    changed()
    field.required = True
    field.save()
    changed()
    Field.objects.filter(pk=field.pk).delete()  # as the admin's bulk action does
    changed()
    assert versions == sorted(set(versions))
    assert len(versions) == 4


def test_a_field_changed_in_hand_updates_the_flow_in_hand(db):
    flow = make.FlowFactory()
    Field.objects.create(flow=flow, name="notes", kind="text")
    in_hand = flow.schema_version
    flow.refresh_from_db()
    assert in_hand == flow.schema_version == 2
