"""Names the back office's front door. Imported before models can be, so the door itself is elsewhere."""

from django.contrib.admin.apps import AdminConfig


class HoldfastAdminConfig(AdminConfig):
    name = "django.contrib.admin"
    default_site = "config.admin_site.HoldfastAdminSite"
