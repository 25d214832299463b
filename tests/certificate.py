"""Of one who is nobody but here: a certificate for localhost, signed by itself, and its key."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "golden" / "tls"
CERT, KEY = _FOLDER / "cert.pem", _FOLDER / "key.pem"
