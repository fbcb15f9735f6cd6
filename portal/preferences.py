"""How a person wants Leadloop: time zone, formats, colours, single-key shortcuts."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import ActorRequest, logged_in
from portal.actors import account_of, actor_for, party_of
from portal.models import CLOCK_FORMATS, DATE_FORMATS, NUMBER_FORMATS, Theme, User

SKIPPED = ("Etc/", "SystemV/", "posix/", "right/", "US/")  # other names for zones that stand under their own
FORMATS = ("number_format", "date_format", "clock")
ON_OFF = {"on": True, "off": False}


def zone_choices(company: str) -> list[tuple[str, str]]:
    """Every zone under its usual name; first the company's, then UTC."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name)
    usual = [(name, name.replace("_", " ")) for name in names if not name.startswith(SKIPPED)]
    return [("", f"As the company: {company.replace('_', ' ')}"), ("UTC", "UTC"), *usual]


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]  # django-stubs' form is generic, Django's is not
    """One's own name and preferences; what is chosen shows how it will look."""

    timezone = forms.ChoiceField(label="Time zone", required=False)
    number_format = forms.ChoiceField(label="Numbers and amounts", choices=NUMBER_FORMATS)
    date_format = forms.ChoiceField(label="Dates", choices=DATE_FORMATS)
    clock = forms.ChoiceField(label="Time of day", choices=CLOCK_FORMATS, widget=forms.RadioSelect)
    theme = forms.ChoiceField(label="Colours", choices=Theme.choices, widget=forms.RadioSelect)
    single_keys = forms.BooleanField(
        label="Single-key shortcuts",
        required=False,
        help_text="Keys such as j, k and 1 to 7 in the list of leads. Off: they do nothing.",
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "timezone", *FORMATS, "theme", "single_keys")

    def __init__(self, *args: Any, company: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones: Any = self.fields["timezone"]
        zones.choices = zone_choices(company)
        if self.instance.timezone and self.instance.timezone not in dict(zones.choices):
            zones.choices = [*zones.choices, (self.instance.timezone, self.instance.timezone)]


def company_zone(request: ActorRequest) -> str:
    """The time zone that the person has without a choice of their own."""
    actor = request.actor
    for membership in getattr(request, "memberships", ()):
        if (actor_for(membership).side, party_of(membership).pk) == (actor.side, actor.party_id):
            return party_of(membership).timezone
    return "UTC"


@require_http_methods(["GET", "HEAD", "POST"])
@logged_in
def preferences(request: ActorRequest) -> HttpResponse:
    """Look at one's preferences, and change them."""
    user = account_of(request)  # a copy: the layout goes on with what is saved, not with what was typed
    form = PreferencesForm(request.POST or None, instance=user, company=company_zone(request))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your preferences are saved.")
        return redirect("preferences")
    context = {"form": form, "now": timezone.now()}
    return render(request, "portal/preferences.html", context, status=422 if form.errors else 200)


@require_POST
@logged_in
def preferences_keys(request: ActorRequest) -> HttpResponse:
    """Switch single-key shortcuts: ``single_keys=on`` or ``off``; without a word, to the other state.

    204 for a script; a form is led back to the preferences.
    """
    user = account_of(request)
    wanted = ON_OFF.get(request.POST.get("single_keys", ""), not user.single_keys)
    User.objects.filter(pk=user.pk).update(single_keys=wanted)
    if request.htmx or "text/html" not in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    return redirect("preferences")
