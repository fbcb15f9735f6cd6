"""Every address of the house; the apps are included by name, so that portal imports none of them."""

from django.contrib import admin
from django.urls import include, path

from portal import join_views, preferences, team_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("membership/", views.choose_membership, name="membership"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("preferences/keys/", preferences.preferences_keys, name="preferences-keys"),
    path("team/", team_views.team_page, name="team"),
    path("team/invite/", team_views.team_invite, name="team-invite"),
    path("team/invitations/<int:pk>/resend/", team_views.team_resend, name="team-resend"),
    path("team/invitations/<int:pk>/withdraw/", team_views.team_withdraw, name="team-withdraw"),
    path("team/people/<int:pk>/role/", team_views.team_role, name="team-role"),
    path("team/people/<int:pk>/remove/", team_views.team_remove, name="team-remove"),
    path("join/<str:token>/", join_views.join, name="join"),
    path("accounts/", include("portal.account_urls")),
    path("admin/", admin.site.urls),
    path("", include("flows.urls")),
    path("", include("feedback.urls")),
    path("", include("reports.urls")),
]
handler400 = "portal.views.bad_request"
handler403 = "portal.views.forbidden"
handler404 = "portal.views.not_found"
handler429 = "portal.views.too_many_requests"  # looked up by allauth
handler500 = "portal.views.server_error"
