from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "People and parties"


class SellerAdminConfig(AdminConfig):
    """The Django admin, opened to sellers and scoped to their own rows."""

    default_site = "portal.admin_site.SellerAdminSite"
