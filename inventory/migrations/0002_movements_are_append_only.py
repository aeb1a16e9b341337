from django.db import migrations

REFUSE = """
CREATE FUNCTION inventory_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Stock movements are append-only: write another movement instead.'
        USING ERRCODE = 'restrict_violation';
END;
$$;
CREATE TRIGGER inventory_movements_are_append_only
    BEFORE UPDATE OR DELETE ON inventory_stockmovement
    FOR EACH ROW EXECUTE FUNCTION inventory_refuse_change();
"""

ALLOW = """
DROP TRIGGER inventory_movements_are_append_only ON inventory_stockmovement;
DROP FUNCTION inventory_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
