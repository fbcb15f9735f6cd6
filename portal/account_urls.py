"""The few of allauth's pages that Leadloop uses: nobody signs up, a seller makes the accounts."""

from allauth.account import views
from django.urls import include, path, re_path, reverse_lazy

from portal import account_forms as forms
from portal import security_views

urlpatterns = [
    path("login/", views.LoginView.as_view(form_class=forms.LogInForm), name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path(
        "reauthenticate/",
        views.ReauthenticateView.as_view(form_class=forms.ReauthenticateForm),
        name="account_reauthenticate",
    ),
    path(
        "password/change/",
        views.PasswordChangeView.as_view(
            form_class=forms.PasswordChangeForm, success_url=reverse_lazy("home")
        ),
        name="account_change_password",
    ),
    path(
        "password/reset/",
        views.PasswordResetView.as_view(form_class=forms.PasswordResetForm),
        name="account_reset_password",
    ),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    re_path(  # a token holds a hyphen of its own: the id ends at the first
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.PasswordResetFromKeyView.as_view(form_class=forms.PasswordKeyForm),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("security/totp/qr.svg", security_views.totp_qr, name="totp-qr"),
    path("security/", include("allauth.mfa.urls")),
    path("sessions/", security_views.sessions, name="usersessions_list"),
    path("sessions/end-others/", security_views.sessions_end_others, name="sessions-end-others"),
    path("sessions/<int:pk>/end/", security_views.session_end, name="session-end"),
]
