"""On PostgreSQL the database itself refuses to rewrite feedback, whoever asks.

TRUNCATE stays possible: it needs the table's owner, and test databases are emptied by it.
"""

from django.db import migrations

TRIGGER = """
CREATE FUNCTION feedback_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Feedback is append-only: record a correction as a new event.'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER feedback_append_only BEFORE UPDATE OR DELETE ON feedback_feedback
    FOR EACH ROW EXECUTE FUNCTION feedback_append_only();
"""
NO_TRIGGER = """
DROP TRIGGER feedback_append_only ON feedback_feedback;
DROP FUNCTION feedback_append_only();
"""


def on_postgresql(sql):
    def run(apps, schema_editor):
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(sql)

    return run


class Migration(migrations.Migration):
    dependencies = [("feedback", "0003_initial")]

    operations = [migrations.RunPython(on_postgresql(TRIGGER), on_postgresql(NO_TRIGGER))]
