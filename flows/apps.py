from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "flows"
    verbose_name = "Flows"

    def ready(self) -> None:
        from flows.alerts import unread_badge
        from portal.access import SELLERS
        from portal.navigation import NavItem, register

        register(
            NavItem("Decisions", "decision-list", SELLERS, order=30),
            NavItem("Alerts", "alert-list", SELLERS, order=40, badge=unread_badge),
            NavItem("Flows", "admin:flows_flow_changelist", SELLERS, order=10, section="Set-up"),
            NavItem("Sources", "admin:flows_source_changelist", SELLERS, order=20, section="Set-up"),
            NavItem("Buyers", "admin:portal_buyer_changelist", SELLERS, order=30, section="Set-up"),
            NavItem("Rules", "admin:flows_rule_changelist", SELLERS, order=40, section="Set-up"),
            NavItem(
                "Suppression", "admin:flows_suppressionlist_changelist", SELLERS, order=50, section="Set-up"
            ),
            NavItem("API keys", "admin:flows_apikey_changelist", SELLERS, order=60, section="Set-up"),
            NavItem("Webhooks", "admin:flows_endpoint_changelist", SELLERS, order=65, section="Set-up"),
            NavItem("API requests", "admin:flows_requestlog_changelist", SELLERS, order=70, section="Set-up"),
        )
