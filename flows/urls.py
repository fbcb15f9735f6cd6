from django.urls import path, re_path

from flows import api, decision_views, list_api, views

urlpatterns = [
    path("exists/<str:lists>/<path:value>", list_api.exists_view, name="suppression-exists"),
    path("lists/<str:name>/items", list_api.items_view, name="suppression-items"),
    re_path(r"^exists(?P<value>/[\s\S]*)?\Z", list_api.nowhere_view, name="suppression-exists-other"),
    re_path(r"^lists(?P<value>/[\s\S]*)?\Z", list_api.nowhere_view, name="suppression-items-other"),
    path("flows/<str:flow_id>/leads", api.leads, name="api-leads"),
    path("flows/<str:flow_id>/routing", api.routes, name="api-routing"),
    path("flows/<str:flow_id>/routing/<str:source>", api.routes, name="api-routing-source"),
    path("decisions/", decision_views.DecisionList.as_view(), name="decision-list"),
    path("decisions/<int:pk>/", decision_views.decision_detail, name="decision-detail"),
    path("decisions/<int:pk>/approve/", decision_views.decision_approve, name="decision-approve"),
    path("decisions/<int:pk>/dismiss/", decision_views.decision_dismiss, name="decision-dismiss"),
    path("decisions/<int:pk>/undo/", decision_views.decision_undo, name="decision-undo"),
    path("alerts/", views.AlertList.as_view(), name="alert-list"),
    path("alerts/read/", views.alert_read_all, name="alert-read-all"),
    path("alerts/<int:pk>/read/", views.alert_read, name="alert-read"),
]
