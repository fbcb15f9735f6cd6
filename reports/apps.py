from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = "Reports"

    def ready(self) -> None:
        from portal.access import BUYERS, SELLERS
        from portal.navigation import NavItem, register

        register(
            NavItem("Dashboard", "dashboard", SELLERS, order=10),
            NavItem("Reports", "source-report", SELLERS, order=20),
            NavItem("My numbers", "my-numbers", BUYERS, order=50),
        )
