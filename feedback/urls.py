from django.urls import path
from django.urls.resolvers import URLPattern

from feedback import api, batches

urlpatterns: list[URLPattern] = [
    path("flows/<str:flow_id>/feedback", api.feedback, name="api-feedback"),
    path("flows/<str:flow_id>/feedback/batch", batches.batch, name="api-feedback-batch"),
]
