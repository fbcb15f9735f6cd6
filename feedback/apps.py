from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "feedback"
    verbose_name = "Feedback"

    def ready(self) -> None:
        from feedback.desk import due_badge  # models are ready only now
        from feedback.return_desk import waiting_badge
        from feedback.stale import mark_new
        from feedback.standing import quality_of
        from flows import routing
        from flows.signals import deliveries_created
        from portal.access import BUYERS, SELLERS
        from portal.navigation import NavItem, register

        deliveries_created.connect(mark_new, dispatch_uid="feedback.mark_new")
        routing.quality_of = quality_of
        register(
            NavItem(
                "Leads",
                "lead-list",
                BUYERS,
                10,
                badge=due_badge,
                also=("view-list", "bulk-create", "keyboard"),
            ),
            NavItem("Uploads", "upload-list", BUYERS, 20),
            NavItem("History", "history", BUYERS, 60),
            NavItem("Returns", "return-list", (*SELLERS, *BUYERS), 35, badge=waiting_badge),
            NavItem("Developers", "developers", BUYERS, 10, section="Set-up"),
        )
