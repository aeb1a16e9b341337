"""Static files in production: named by their content, compressed, and kept by browsers for good."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Imports inside our JavaScript modules name hashed files, too."""

    support_js_module_import_aggregation = True
