from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "People and parties"

    def ready(self) -> None:
        from portal.access import BUYERS, SELLERS
        from portal.navigation import NavItem, register

        register(
            NavItem("Team", "team", BUYERS, order=20, section="Set-up"),
            NavItem("Team", "team", SELLERS, order=34, section="Set-up"),
            NavItem("People", "admin:portal_membership_changelist", SELLERS, order=35, section="Set-up"),
        )


class SellerAdminConfig(AdminConfig):
    """The Django admin, opened to sellers and scoped to their own rows."""

    default_site = "portal.admin_site.SellerAdminSite"
