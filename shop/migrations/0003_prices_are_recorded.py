from django.db import migrations

RECORD = """
CREATE FUNCTION shop_record_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.price IS DISTINCT FROM OLD.price THEN
        INSERT INTO shop_pricerecord (variant_id, price, valid_from)
        VALUES (NEW.id, NEW.price, now());
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER shop_prices_are_recorded
    AFTER INSERT OR UPDATE OF price ON shop_variant
    FOR EACH ROW EXECUTE FUNCTION shop_record_price();
INSERT INTO shop_pricerecord (variant_id, price, valid_from)
    SELECT id, price, now() FROM shop_variant;
"""

FORGET = """
DROP TRIGGER shop_prices_are_recorded ON shop_variant;
DROP FUNCTION shop_record_price();
"""


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_checkout_payments_and_orders")]

    operations = [migrations.RunSQL(RECORD, FORGET)]
