"""How allauth behaves here."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

WRONG = "Wrong username, e-mail or password. Check them and try again."


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: a seller makes the accounts."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": "This account is closed. Ask the owner of your company's account.",
        "email_password_mismatch": WRONG,
        "enter_current_password": "This is not your present password.",
        "incorrect_password": "This is not your password.",
        "too_many_login_attempts": "Too many wrong tries. Wait five minutes, or reset your password.",
        "username_password_mismatch": WRONG,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
