"""The admin shows a person only their own seller's rows, and lets them do only what their role allows."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from portal.models import Seller, User
from tests.admin_pages import note_addition, one_of_each, url

MODELS = list(admin.site._registry)
OWN, OTHER = "ownmark", "othermark"
IDS = [model.__name__ for model in MODELS]
for_each_model = pytest.mark.parametrize("model", MODELS, ids=IDS)
ACTIONS = [
    (model, action.name)
    for model, page in admin.site._registry.items()
    for action in getattr(page, "object_actions", ())
]


@pytest.fixture
def own(world):
    return one_of_each(world, OWN)


@pytest.fixture
def other(other_world):
    return one_of_each(other_world, OTHER)


def seller_models(model):
    """Sellers themselves are for operators."""
    return model is not Seller


def test_every_registered_model_is_in_the_walk(own):
    assert set(own) >= set(MODELS)  # and rows that pages alone show, such as invitations


@for_each_model
@pytest.mark.parametrize("who", ["owner", "analyst"])
def test_a_list_shows_own_rows_only(model, who, world, own, other, as_user):
    response = as_user(getattr(world, who)).get(url(model, "changelist"))
    if model is Seller:
        assert response.status_code == 403
        return
    assert response.status_code == 200
    assert own[model] in response.context["cl"].queryset
    assert other[model] not in response.context["cl"].queryset
    assert OWN in response.text
    assert OTHER not in response.text


@for_each_model
def test_filtering_by_anothers_row_finds_nothing(model, world, own, other, as_user):
    client = as_user(world.owner)
    page = admin.site._registry[model]
    for name in (each for each in page.list_filter if isinstance(each, str)):
        field = model._meta.get_field(name)
        if field.is_relation:
            response = client.get(
                url(model, "changelist"), {f"{name}__id__exact": other[field.related_model].pk}
            )
            assert response.status_code == 200
            assert not response.context["cl"].queryset.exists()
            assert OTHER not in response.text


@for_each_model
def test_probing_lookups_are_refused(model, world, own, other, as_user):
    client = as_user(world.owner)
    if model is Seller:
        return
    for lookup in (
        "pk__gt=0",
        "id__in=1,2,3",
        "_connector=OR",
        "flow__seller__name__startswith=o",
        "digest__startswith=a",
        "lead__buyer__name=x",
        "user__password__startswith=a",
    ):
        assert client.get(f"{url(model, 'changelist')}?{lookup}").status_code == 400, lookup


@for_each_model
@pytest.mark.parametrize("who", ["owner", "analyst"])
@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_anothers_row_is_not_there(model, who, page, world, own, other, as_user):
    client = as_user(getattr(world, who))
    address = url(other[model], page)
    unknown = address.replace(f"/{other[model].pk}/", "/987654321/")
    answers = [client.get(address), client.get(unknown)]
    assert {answer.status_code for answer in answers} == {404}
    assert OTHER not in answers[0].text
    for answer in (client.post(address, {"post": "yes"}), client.post(unknown, {"post": "yes"})):
        assert answer.status_code in (403, 404, 405)
    assert model._default_manager.filter(pk=other[model].pk).exists()


@pytest.mark.parametrize(("model", "action"), ACTIONS, ids=[f"{m.__name__}-{a}" for m, a in ACTIONS])
def test_anothers_row_cannot_be_acted_on(model, action, world, own, other, as_user):
    address = url(other[model], action)
    for who, expected in (("owner", 404), ("analyst", 404)):
        client = as_user(getattr(world, who))
        assert client.get(address).status_code == expected
        assert client.post(address, {"days": 0, "reason": "x"}).status_code == expected
    assert as_user(world.analyst).post(url(own[model], action), {"days": 0}).status_code in (403, 404)


@for_each_model
def test_an_own_row_can_be_opened(model, world, own, other, as_user):
    if model is Seller:
        return
    for who in ("owner", "analyst"):
        client = as_user(getattr(world, who))
        for page in ("change", "history"):
            response = client.get(url(own[model], page))
            assert response.status_code == 200
            assert OTHER not in response.text


@for_each_model
def test_an_add_page_offers_own_rows_only(model, world, own, other, as_user):
    response = as_user(world.owner).get(url(model, "add"))
    if not admin.site._registry[model].may_add or model in (User, Seller):
        assert response.status_code == 403
        return
    assert response.status_code == 200
    assert OTHER not in response.text
    preset = {field.name: other[field.related_model].pk for field in model._meta.fields
              if field.is_relation and field.related_model in other}  # fmt: skip
    assert OTHER not in as_user(world.owner).get(url(model, "add"), preset).text


@for_each_model
def test_an_analyst_only_looks(model, world, own, as_user):
    client = as_user(world.analyst)
    assert client.get(url(model, "add")).status_code == 403
    assert client.post(url(model, "add"), {"name": "x"}).status_code == 403
    assert client.post(url(own[model], "change"), {"name": "x"}).status_code in (403, 404)
    assert client.post(url(own[model], "delete"), {"post": "yes"}).status_code in (403, 404)
    assert model._default_manager.filter(pk=own[model].pk).exists()
    assert 'name="_save"' not in client.get(url(own[model], "change")).text


@for_each_model
@pytest.mark.parametrize("who", ["manager", "agent"])
def test_a_buyer_finds_no_admin(model, who, world, own, as_user):
    client = as_user(getattr(world, who))
    pages = [url(model, "changelist"), url(model, "add")]
    pages += [url(own[model], page) for page in ("change", "history", "delete")]
    for page in pages:
        assert client.get(page).status_code == 404
        assert client.post(page, {"post": "yes"}).status_code == 404


@pytest.mark.parametrize(
    "page", ["admin:index", "admin:autocomplete", "admin:jsi18n", "admin:password_change"]
)
def test_a_buyer_finds_no_other_page_either(page, world, as_user):
    assert as_user(world.manager).get(reverse(page)).status_code == 404


def test_a_stranger_goes_to_the_log_in_page_and_back(world, client):
    response = client.get(url(world.flow, "change"))
    assert response.status_code == 302
    assert response.headers["Location"] == f"/accounts/login/?next={url(world.flow, 'change')}"


def test_there_is_no_redirect_by_content_type(world, as_user):
    assert as_user(world.owner).get("/admin/r/1/1/").status_code == 404


def relations():
    for model in MODELS:
        for field in model._meta.get_fields():
            if field.is_relation and field.concrete and field.related_model in MODELS:
                yield model, field


@pytest.mark.parametrize(
    ("model", "field"), list(relations()), ids=[f"{m.__name__}.{f.name}" for m, f in relations()]
)
def test_autocomplete_finds_own_rows_only(model, field, world, own, other, as_user):
    asked = {
        "app_label": model._meta.app_label,
        "model_name": model._meta.model_name,
        "field_name": field.name,
    }
    for term in ("", OTHER, f"{OTHER}@example.com", f"evt_{OTHER}"):
        response = as_user(world.owner).get(reverse("admin:autocomplete"), {**asked, "term": term})
        assert response.status_code in (200, 403, 404)
        if response.status_code == 200:
            found = {int(each["id"]) for each in response.json()["results"]}
            assert other[field.related_model].pk not in found
            assert OTHER not in response.text


def test_recent_actions_are_those_on_rows_one_can_still_see(world, own, other, as_user):
    note_addition(world.owner, own[type(world.flow)], "my flow")
    note_addition(world.owner, other[type(world.flow)], f"{OTHER} flow")
    note_addition(world.analyst, own[type(world.flow)], "a colleague's deed")
    text = as_user(world.owner).get(reverse("admin:index")).text
    assert "my flow" in text
    assert OTHER not in text
    assert "a colleague's deed" not in text


def test_the_history_of_an_account_used_elsewhere_is_closed(world, own, other, other_world, as_user):
    from tests import factories as make

    make.MembershipFactory(user=world.agent, seller=other_world.seller)
    note_addition(other_world.owner, world.agent, "theirs")
    assert as_user(world.owner).get(url(world.agent, "history")).status_code == 404
    assert LogEntry.objects.count() == 1


def test_a_person_of_two_sellers_sees_the_one_they_are_at(world, own, other, other_world, as_user):
    from tests import factories as make

    make.MembershipFactory(user=world.owner, seller=other_world.seller)
    response = as_user(world.owner).get(url(type(world.flow), "changelist"))
    assert list(response.context["cl"].queryset) == [world.flow]


@for_each_model
def test_an_operator_sees_all(model, own, other, as_user):
    boss = User.objects.create_superuser("boss", "boss@example.com", "correct horse")
    client = as_user(boss)
    text = client.get(url(model, "changelist")).text
    assert OWN in text
    assert OTHER in text
    for page in ("change", "history", "delete"):
        assert client.get(url(own[model], page)).status_code in (200, 302, 403)


@for_each_model
def test_a_list_asks_few_questions(model, own, world, as_user, django_assert_max_num_queries):
    if model is Seller:
        return
    client = as_user(world.owner)
    for number in range(5):
        _copy(own[model], number)
    with django_assert_max_num_queries(15):
        assert client.get(url(model, "changelist")).status_code == 200


def _copy(row, number):
    """Another row like this one, as far as the model allows; what it cannot copy stays one."""
    from django.db import IntegrityError, transaction

    row = type(row)._default_manager.get(pk=row.pk)
    row.pk = None
    row._state.adding = True
    for name in ("public_id", "slug", "email", "username", "value", "external_id", "evaluation", "prefix"):
        if hasattr(row, name):
            setattr(row, name, f"{number}x{getattr(row, name)}"[:24])
    if hasattr(row, "fingerprint"):
        row.fingerprint = f"{number}"
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        pass


@for_each_model
@pytest.mark.parametrize(
    "question",
    ["q=%00", "q='", "q=%25%5C", "p=-1", "p=abc", "p=99", "o=99", "o=-1.x", "e=1", "_popup=1", "all="],
)
def test_odd_questions_do_not_break_a_list(model, question, world, own, as_user):
    if model is not Seller:
        response = as_user(world.owner).get(f"{url(model, 'changelist')}?{question}")
        assert response.status_code in (200, 302)


@for_each_model
def test_a_filter_asked_nonsense_does_not_break_a_list(model, world, own, as_user):
    client = as_user(world.owner)
    for name in (each for each in admin.site._registry[model].list_filter if isinstance(each, str)):
        for value in ("abc", "%00", "9" * 30, "-1", ""):
            for ending in ("id__exact", "exact", "isnull"):
                response = client.get(f"{url(model, 'changelist')}?{name}__{ending}={value}")
                assert response.status_code in (200, 302, 400)
