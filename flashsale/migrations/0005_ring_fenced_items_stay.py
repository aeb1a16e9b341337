from django.db import migrations

REFUSE = """
CREATE FUNCTION flashsale_refuse_to_lose_units() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Units are ring-fenced for this sale item: end or cancel the sale instead of deleting it.'
        USING ERRCODE = 'restrict_violation';
END;
$$;
CREATE TRIGGER flashsale_ring_fenced_items_stay
    BEFORE DELETE ON flashsale_saleitem
    FOR EACH ROW WHEN (OLD.stock_id IS NOT NULL) EXECUTE FUNCTION flashsale_refuse_to_lose_units();
"""

ALLOW = """
DROP TRIGGER flashsale_ring_fenced_items_stay ON flashsale_saleitem;
DROP FUNCTION flashsale_refuse_to_lose_units();
"""


class Migration(migrations.Migration):
    dependencies = [("flashsale", "0004_stock_strategies_and_claims_set_aside")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
