from django.urls import path

from reports import views

urlpatterns = [
    path("dashboard/", views.dashboard, name="dashboard"),
    path("reports/sources/", views.source_report, name="source-report"),
    path("reports/sources.csv", views.source_report_csv, name="source-report-csv"),
]
