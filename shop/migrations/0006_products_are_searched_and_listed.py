import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models

#: What lists sort and search by follows from a product's own columns, its variants and its approved reviews. The first
#: trigger works it out whenever a product is written; the others write a product whose variants, reviews or category
#: changed. The rows are taken in one order, so that two imports at once cannot wait for one another in a circle.
KEEP_LISTED = """
CREATE FUNCTION shop_list_product() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kinds text;
    category text;
BEGIN
    SELECT min(price), coalesce(bool_or(compare_at_price IS NOT NULL), false),
        coalesce(string_agg(name || ' ' || sku, ' '), '')
        INTO NEW.price_from, NEW.is_reduced, kinds
        FROM shop_variant WHERE product_id = NEW.id AND is_active;
    SELECT coalesce(avg(review.rating), 0), count(*) INTO NEW.rating, NEW.rating_count
        FROM shop_review review WHERE product_id = NEW.id AND is_approved;
    SELECT name INTO category FROM shop_category WHERE id = NEW.category_id;
    NEW.search :=
        setweight(to_tsvector('english', NEW.name) || to_tsvector('simple', NEW.name), 'A')
        || setweight(to_tsvector('english', concat_ws(' ', NEW.summary, category, kinds)), 'B')
        || setweight(to_tsvector('simple', concat_ws(' ', category, kinds)), 'B')
        || setweight(to_tsvector('english', concat_ws(' ', NEW.description, NEW.details)), 'C');
    RETURN NEW;
END;
$$;
CREATE TRIGGER shop_product_is_listed
    BEFORE INSERT OR UPDATE ON shop_product
    FOR EACH ROW EXECUTE FUNCTION shop_list_product();

CREATE FUNCTION shop_list_products_of_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM shop_product WHERE id IN (SELECT product_id FROM changed)
        ORDER BY id FOR NO KEY UPDATE;
    UPDATE shop_product SET search = NULL WHERE id IN (SELECT product_id FROM changed);
    RETURN NULL;
END;
$$;
CREATE FUNCTION shop_list_products_of_both() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM shop_product
        WHERE id IN (SELECT product_id FROM changed UNION SELECT product_id FROM previous)
        ORDER BY id FOR NO KEY UPDATE;
    UPDATE shop_product SET search = NULL
        WHERE id IN (SELECT product_id FROM changed UNION SELECT product_id FROM previous);
    RETURN NULL;
END;
$$;
CREATE TRIGGER shop_variants_are_listed_new AFTER INSERT ON shop_variant
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION shop_list_products_of_changed();
CREATE TRIGGER shop_variants_are_listed_gone AFTER DELETE ON shop_variant
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION shop_list_products_of_changed();
CREATE TRIGGER shop_variants_are_listed AFTER UPDATE ON shop_variant
    REFERENCING NEW TABLE AS changed OLD TABLE AS previous
    FOR EACH STATEMENT EXECUTE FUNCTION shop_list_products_of_both();
CREATE TRIGGER shop_reviews_are_listed_new AFTER INSERT ON shop_review
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION shop_list_products_of_changed();
CREATE TRIGGER shop_reviews_are_listed_gone AFTER DELETE ON shop_review
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION shop_list_products_of_changed();
CREATE TRIGGER shop_reviews_are_listed AFTER UPDATE ON shop_review
    REFERENCING NEW TABLE AS changed OLD TABLE AS previous
    FOR EACH STATEMENT EXECUTE FUNCTION shop_list_products_of_both();

CREATE FUNCTION shop_list_products_of_category() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM shop_product WHERE category_id = NEW.id ORDER BY id FOR NO KEY UPDATE;
    UPDATE shop_product SET search = NULL WHERE category_id = NEW.id;
    RETURN NULL;
END;
$$;
CREATE TRIGGER shop_categories_are_listed AFTER UPDATE ON shop_category
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name)
    EXECUTE FUNCTION shop_list_products_of_category();

UPDATE shop_product SET search = NULL;
"""

FORGET = """
DROP TRIGGER shop_categories_are_listed ON shop_category;
DROP TRIGGER shop_reviews_are_listed ON shop_review;
DROP TRIGGER shop_reviews_are_listed_gone ON shop_review;
DROP TRIGGER shop_reviews_are_listed_new ON shop_review;
DROP TRIGGER shop_variants_are_listed ON shop_variant;
DROP TRIGGER shop_variants_are_listed_gone ON shop_variant;
DROP TRIGGER shop_variants_are_listed_new ON shop_variant;
DROP TRIGGER shop_product_is_listed ON shop_product;
DROP FUNCTION shop_list_products_of_category();
DROP FUNCTION shop_list_products_of_both();
DROP FUNCTION shop_list_products_of_changed();
DROP FUNCTION shop_list_product();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('shop', '0005_orders_after_payment'),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name='SearchWord',
            fields=[
                ('word', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('products', models.PositiveIntegerField(help_text='Products whose name has it.')),
            ],
        ),
        migrations.AddField(
            model_name='product',
            name='is_reduced',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='product',
            name='price_from',
            field=models.DecimalField(decimal_places=2, editable=False, max_digits=10, null=True),
        ),
        migrations.AddField(
            model_name='product',
            name='rating',
            field=models.DecimalField(decimal_places=2, default=0, editable=False, max_digits=3),
        ),
        migrations.AddField(
            model_name='product',
            name='rating_count',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='product',
            name='search',
            field=django.contrib.postgres.search.SearchVectorField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='product',
            index=django.contrib.postgres.indexes.GinIndex(fields=['search'], name='product_search'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('is_published', True), ('price_from__isnull', False)), fields=['-created_at', '-id'], name='product_newest'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('is_published', True), ('price_from__isnull', False)), fields=['price_from', 'id'], name='product_by_price'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('is_published', True), ('price_from__isnull', False)), fields=['-rating', '-rating_count', '-id'], name='product_by_rating'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('is_published', True), ('price_from__isnull', False)), fields=['category', '-created_at', '-id'], name='product_newest_there'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('is_published', True), ('price_from__isnull', False)), fields=['category', 'price_from', 'id'], name='product_by_price_there'),
        ),
        migrations.AddIndex(
            model_name='product',
            index=models.Index(condition=models.Q(('is_published', True), ('price_from__isnull', False)), fields=['category', '-rating', '-rating_count', '-id'], name='product_by_rating_there'),
        ),
        migrations.AddIndex(
            model_name='searchword',
            index=django.contrib.postgres.indexes.GinIndex(fields=['word'], name='search_word_trigrams', opclasses=['gin_trgm_ops']),
        ),
        migrations.RunSQL(KEEP_LISTED, FORGET),
    ]
