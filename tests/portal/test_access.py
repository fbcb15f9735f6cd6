"""Another tenant's row does not exist."""

import pytest
from django.http import Http404

from flows.models import Delivery
from portal.access import NOBODY, get_or_404, visible_to


@pytest.mark.parametrize("who", ["owner", "analyst", "manager", "agent"])
def test_each_person_sees_their_own_delivery_and_no_other(world, other_world, who):
    actor = world.actor(getattr(world, who))
    assert list(visible_to(actor, Delivery.objects.all())) == [world.delivery]
    assert get_or_404(actor, Delivery.objects.all(), public_id=world.delivery.public_id) == world.delivery
    with pytest.raises(Http404):
        get_or_404(actor, Delivery.objects.all(), public_id=other_world.delivery.public_id)


def test_nobody_sees_nothing(world):
    assert not visible_to(NOBODY, Delivery.objects.all()).exists()
