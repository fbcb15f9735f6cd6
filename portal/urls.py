"""Every address of the house; the apps are included by name, so that portal imports none of them."""

from django.contrib import admin
from django.urls import include, path

from portal import views

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("membership/", views.choose_membership, name="membership"),
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
