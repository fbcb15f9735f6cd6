from django.urls import path

from reports import own_views, views

urlpatterns = [
    path("dashboard/", views.dashboard, name="dashboard"),
    path("reports/sources/", views.source_report, name="source-report"),
    path("reports/sources.csv", views.source_report_csv, name="source-report-csv"),
    path("numbers/", own_views.my_numbers, name="my-numbers"),
    path("numbers.csv", own_views.my_numbers_csv, name="my-numbers-csv"),
]
