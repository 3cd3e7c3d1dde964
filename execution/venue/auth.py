"""Who asks: API keys, HMAC-SHA256 signatures, and the time window of a request. Pure."""

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from execution.venue import errors

PEM_BEGINS = "-----BEGIN PUBLIC KEY-----"
AHEAD_MAX_MS = 1_000
DEFAULT_WINDOW_MS = Decimal(5_000)
WINDOW_MAX_MS = Decimal(60_000)
WINDOW_FORM = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
KEY_FORM = re.compile(r"[A-Za-z0-9_.\-]{1,128}")


@dataclass(frozen=True)
class ApiKey:
    """One account's key to the venue. `secret` is what an HMAC key shares, or an Ed25519 key's public half (PEM)."""

    account: str
    key: str
    secret: str

    @property
    def is_ed25519(self) -> bool:
        """May it log a session on?"""
        return self.secret.startswith(PEM_BEGINS)


@dataclass(frozen=True)
class Window:
    """When a request was made and how long it stays good."""

    timestamp_ms: int
    recv_window_ms: Decimal

    def check(self, now_ms: int) -> None:
        """Raises -1021 when the request comes from the future or is too old. Asked on arrival and before matching."""
        if self.timestamp_ms >= now_ms + AHEAD_MAX_MS:
            raise errors.outside_window(ahead=True)
        if now_ms - self.timestamp_ms > self.recv_window_ms:
            raise errors.outside_window(ahead=False)


def make_ed25519() -> str:
    """A new private key (PEM)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    private = Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_half(private_key: str) -> str:
    """What a venue needs to know of a private key (PEM). Raises ValueError when it isn't one."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    public = load_pem_private_key(private_key.encode(), None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def find_account(keys: Mapping[str, ApiKey], key: str | None) -> ApiKey:
    """Whose key this is. Raises -2014 (not a key) or -2015 (nobody's)."""
    if not key or not KEY_FORM.fullmatch(key):
        raise errors.malformed_key()
    found = keys.get(key)
    if found is None:
        raise errors.unknown_key()
    return found


def check_signature(secret: str, payload: str, signature: str | None) -> None:
    """Raises -1102 without a signature, -1022 for a wrong one."""
    if not signature:
        raise errors.missing("signature")
    if secret.startswith(PEM_BEGINS):
        _check_ed25519(secret, payload, signature)
        return
    expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise errors.bad_signature()


def _check_ed25519(public_key: str, payload: str, signature: str) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - most venues know HMAC keys only
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    key = load_pem_public_key(public_key.encode())
    assert isinstance(key, Ed25519PublicKey), "an API key is HMAC or Ed25519"
    try:
        key.verify(b64decode(signature, validate=True), payload.encode())
    except (ValueError, InvalidSignature) as error:
        raise errors.bad_signature() from error


def read_window(parameters: Mapping[str, str]) -> Window:
    """The request's timestamp (ms, or µs with 16 digits) and recvWindow. Raises -1100, -1102, -1131."""
    text = parameters.get("timestamp")
    if not text:
        raise errors.missing("timestamp")
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise errors.illegal_characters("timestamp", "^[0-9]{1,20}$")
    timestamp = int(text) // 1000 if len(text) == 16 else int(text)
    return Window(timestamp, _recv_window(parameters.get("recvWindow")))


def _recv_window(text: str | None) -> Decimal:
    if text is None:
        return DEFAULT_WINDOW_MS
    if not WINDOW_FORM.fullmatch(text):
        raise errors.illegal_characters("recvWindow", f"^{WINDOW_FORM.pattern}$")
    window = Decimal(text)
    if window > WINDOW_MAX_MS:
        raise errors.window_too_large()
    return window
