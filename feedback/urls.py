from django.urls import path
from django.urls.resolvers import URLPattern

from feedback import (
    api,
    batches,
    developer_views,
    guide_views,
    lead_views,
    reading,
    undo_views,
    upload_api,
    upload_step_views,
    upload_views,
)
from feedback.openapi import openapi

urlpatterns: list[URLPattern] = [
    path("flows/<str:flow_id>/feedback", api.feedback, name="api-feedback"),
    path("flows/<str:flow_id>/feedback/batch", batches.batch, name="api-feedback-batch"),
    path("flows/<str:flow_id>/leads/<str:lead_id>", reading.lead, name="api-lead"),
    path("flows/<str:flow_id>/leads/<str:lead_id>/feedback", reading.lead_feedback, name="api-lead-feedback"),
    path("flows/<str:flow_id>/feedback/uploads", upload_api.uploads, name="api-uploads"),
    path("flows/<str:flow_id>/feedback/uploads/<str:upload_id>", upload_api.upload, name="api-upload"),
    path(
        "flows/<str:flow_id>/feedback/uploads/<str:upload_id>/errors",
        upload_api.upload_errors,
        name="api-upload-errors",
    ),
    path(
        "flows/<str:flow_id>/feedback/uploads/<str:upload_id>/undo",
        upload_api.upload_undo,
        name="api-upload-undo",
    ),
    path("flows/<str:flow_id>/openapi.json", openapi, name="api-openapi"),
    path("leads/", lead_views.LeadList.as_view(), name="lead-list"),
    path("leads/<str:lead_id>/", lead_views.lead_detail, name="lead-detail"),
    path("leads/<str:lead_id>/edit/", lead_views.lead_edit, name="lead-edit"),
    path("uploads/", upload_views.UploadList.as_view(), name="upload-list"),
    path("uploads/new/", upload_views.upload_create, name="upload-create"),
    path("uploads/new/<str:flow_id>.csv", upload_views.upload_template, name="upload-template"),
    path("uploads/<str:upload_id>/", upload_views.upload_detail, name="upload-detail"),
    path("uploads/<str:upload_id>/columns/", upload_step_views.upload_columns, name="upload-columns"),
    path("uploads/<str:upload_id>/reading/", upload_step_views.upload_reading, name="upload-reading"),
    path("uploads/<str:upload_id>/check/", upload_step_views.upload_check, name="upload-check"),
    path("uploads/<str:upload_id>/matches/", upload_step_views.upload_matches, name="upload-matches"),
    path("uploads/<str:upload_id>/confirm/", upload_step_views.upload_confirm, name="upload-confirm"),
    path("uploads/<str:upload_id>/discard/", upload_step_views.upload_discard, name="upload-discard"),
    path("uploads/<str:upload_id>/progress/", upload_views.upload_progress, name="upload-progress"),
    path("uploads/<str:upload_id>/errors.csv", upload_views.upload_errors, name="upload-errors"),
    path("developers/", developer_views.developers, name="developers"),
    path("developers/log/", developer_views.RequestList.as_view(), name="request-list"),
    path("developers/log/<int:pk>/", developer_views.request_detail, name="request-detail"),
    path("developers/test/", developer_views.integration_test, name="integration-test"),
    path("developers/<str:flow_id>/guide/", guide_views.guide, name="guide"),
    path("developers/<str:flow_id>/guide/<int:pk>/renew/", guide_views.guide_renew, name="guide-renew"),
    path("guide/<str:token>/", guide_views.guide_shared, name="guide-shared"),
    path("uploads/<str:upload_id>/undo/", undo_views.upload_undo, name="upload-undo"),
]
