from django.urls import path
from django.urls.resolvers import URLPattern

from feedback import api, batches, lead_views, reading, upload_views
from feedback.openapi import openapi

urlpatterns: list[URLPattern] = [
    path("flows/<str:flow_id>/feedback", api.feedback, name="api-feedback"),
    path("flows/<str:flow_id>/feedback/batch", batches.batch, name="api-feedback-batch"),
    path("flows/<str:flow_id>/leads/<str:lead_id>", reading.lead, name="api-lead"),
    path("flows/<str:flow_id>/leads/<str:lead_id>/feedback", reading.lead_feedback, name="api-lead-feedback"),
    path("flows/<str:flow_id>/openapi.json", openapi, name="api-openapi"),
    path("leads/", lead_views.LeadList.as_view(), name="lead-list"),
    path("leads/<str:lead_id>/", lead_views.lead_detail, name="lead-detail"),
    path("leads/<str:lead_id>/edit/", lead_views.lead_edit, name="lead-edit"),
    path("uploads/", upload_views.UploadList.as_view(), name="upload-list"),
    path("uploads/new/", upload_views.upload_create, name="upload-create"),
    path("uploads/new/<str:flow_id>.csv", upload_views.upload_template, name="upload-template"),
    path("uploads/<str:upload_id>/", upload_views.upload_detail, name="upload-detail"),
    path("uploads/<str:upload_id>/progress/", upload_views.upload_progress, name="upload-progress"),
    path("uploads/<str:upload_id>/errors.csv", upload_views.upload_errors, name="upload-errors"),
]
