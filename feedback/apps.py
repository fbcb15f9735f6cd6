from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "feedback"
    verbose_name = "Feedback"

    def ready(self) -> None:
        from feedback.stale import mark_new  # models are ready only now
        from feedback.standing import quality_of
        from flows import routing
        from flows.signals import deliveries_created

        deliveries_created.connect(mark_new, dispatch_uid="feedback.mark_new")
        routing.quality_of = quality_of
