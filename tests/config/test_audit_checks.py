from django.conf import settings
from django.utils.module_loading import import_string

from tests.flashsale import test_audit as front_door
from tests.inventory import test_audit as stockroom
from tests.shop import test_audit as counter


def test_every_check_of_every_room_has_a_test_that_spoils_a_row_and_sees_it_named() -> None:
    checks = [check for path in settings.AUDIT_CHECKS for check in import_string(path)(scope={})]
    assert {check.name for check in checks} == stockroom.NAMED | counter.NAMED | front_door.NAMED
    assert len({check.name for check in checks}) == len(checks)
