"""Where an Azure store is and with what right it is used: one value of URL, endpoint, connection string.

Connection strings are Azure's own (`AccountName=…;AccountKey=…`, or
`BlobEndpoint=…;SharedAccessSignature=…`):
https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string Nothing here repeats a
key or a signature in an error.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple

from scorer.storage import AddressError

EMULATOR_ACCOUNT = "devstoreaccount1"
# Not a secret: the emulator's key is public and the same everywhere.
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
EMULATOR_ENDPOINT = "http://127.0.0.1:10000/devstoreaccount1"

_KNOWN = {
    "accountkey",
    "accountname",
    "blobendpoint",
    "defaultendpointsprotocol",
    "endpointsuffix",
    "sharedaccesssignature",
    "usedevelopmentstorage",
}
# Other services' endpoints stand in strings copied from the portal; Blob Storage has no use for them.
_OTHER_SERVICES = {
    f"{service}endpoint{kind}"
    for service in ("file", "queue", "table", "dfs", "web", "blob")
    for kind in ("", "secondary")
}


class AzureAddress(NamedTuple):
    """An Azure container and its credential; with neither key nor SAS the environment's identity is used."""

    account: str
    container: str
    prefix: str
    endpoint: str
    allow_http: bool
    account_key: str | None
    sas: str | None


def azure_address(
    rest: str, endpoint: str | None, allow_http: bool, connection_string: str | None
) -> AzureAddress:
    """Puts `ACCOUNT/CONTAINER[/prefix]`, endpoint and connection string together. Raises AddressError."""
    account, container, prefix = _split(rest)
    fields = _fields(connection_string) if connection_string else {}
    named = fields.get("accountname")
    if named is not None and named != account:
        raise AddressError(
            f"store URL names account {account!r}, the connection string {named!r}: wanted the same"
        )
    if fields and not ("accountkey" in fields or "sharedaccesssignature" in fields):
        raise AddressError(
            "connection string holds neither AccountKey nor SharedAccessSignature: wanted one of them"
        )
    where = (endpoint or _endpoint(account, fields)).rstrip("/")
    shown = where.partition("?")[0]  # a query may hold a signature
    if not where.startswith(("https://", "http://")):
        raise AddressError(f"store endpoint {shown!r} is not known: wanted https://HOST")
    if where.startswith("http://") and not allow_http:
        raise AddressError(
            f"store endpoint {shown} is not encrypted: wanted https://, or allowHttp: true beside it"
        )
    return AzureAddress(
        account, container, prefix, where, allow_http, _key(fields.get("accountkey")), _sas(fields)
    )


def _split(rest: str) -> tuple[str, str, str]:
    parts = rest.rstrip("/").split("/")
    if len(parts) < 2 or not all(parts):
        raise AddressError(
            f"store URL azure://{rest} is incomplete: wanted azure://ACCOUNT/CONTAINER[/PREFIX]"
        )
    account, container, *prefix = parts
    if not (account.isascii() and account.isalnum()):
        raise AddressError(
            f"store account {account!r} is not one: wanted 3 to 24 lower-case letters and digits"
        )
    if not 3 <= len(container) <= 63:
        raise AddressError(f"store container {container!r} has {len(container)} characters: wanted 3 to 63")
    if any(segment in (".", "..") for segment in prefix):
        raise AddressError(f"store URL azure://{rest} holds '.' or '..': wanted a plain prefix")
    return account, container, "/".join(prefix)


def _fields(connection_string: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for number, part in enumerate(connection_string.strip().split(";"), 1):
        if not part.strip():
            continue
        name, separator, value = part.partition("=")
        key = name.strip().lower()
        if not separator or key not in _KNOWN | _OTHER_SERVICES:
            # By number and not by name: of a key that stands there alone, the "name" is the key itself.
            raise AddressError(
                f"field {number} of the connection string is not known: wanted fields like AccountName=NAME"
            )
        fields[key] = value.strip()
    if fields.get("usedevelopmentstorage", "").lower() == "true":
        emulator = {
            "accountname": EMULATOR_ACCOUNT,
            "accountkey": EMULATOR_KEY,
            "blobendpoint": EMULATOR_ENDPOINT,
        }
        return emulator | fields
    return fields


def _endpoint(account: str, fields: dict[str, str]) -> str:
    if "blobendpoint" in fields:
        return fields["blobendpoint"]
    protocol = fields.get("defaultendpointsprotocol", "https")
    return f"{protocol}://{account}.blob.{fields.get('endpointsuffix', 'core.windows.net')}"


def _key(key: str | None) -> str | None:
    if key is not None:
        try:
            binascii.a2b_base64(key, strict_mode=True)
        except ValueError:  # binascii.Error is one; characters past ASCII raise it bare
            raise AddressError("connection string's AccountKey is not base64: wanted it whole") from None
    return key


def _sas(fields: dict[str, str]) -> str | None:
    sas = fields.get("sharedaccesssignature")
    return None if sas is None else sas.removeprefix("?")
