"""What `$cbs` makes of a token: which resource it is for, until when, or why it is refused.

Signatures of shared keys are checked as the service documents them; of a JWT only the expiry that was told
with it is used.
https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.parse
from collections.abc import Mapping
from typing import NamedTuple

SAS = "servicebus.windows.net:sastoken"
JWT = "jwt"


class Grant(NamedTuple):
    """A hub (or, empty, the namespace) that may be used until then (seconds since 1970)."""

    hub: str
    expires: float

    def covers(self, hub: str, now: float) -> bool:
        return now < self.expires and self.hub.casefold() in ("", hub.casefold())


class Refusal(NamedTuple):
    status: int
    description: str


def examine(
    kind: str, token: str, audience: str, expiration: float | None, keys: Mapping[str, str], now: float
) -> Grant | Refusal:
    """What `token` gives for `audience` (sb://host/hub…), with these shared keys by name."""
    hub = hub_of(audience)
    if kind == JWT:
        if not token:
            return Refusal(401, "InvalidSignature: The token has an invalid signature.")
        return _unless_expired(Grant(hub, expiration if expiration is not None else now + 3600), now)
    if kind != SAS:
        return Refusal(400, f"The token type '{kind}' is not supported.")
    return _shared_access(token, hub, keys, now)


def hub_of(audience: str) -> str:
    """The hub in an address such as sb://host:port/hub/consumergroups/…"""
    return urllib.parse.urlsplit(audience).path.strip("/").partition("/")[0]


def _shared_access(token: str, hub: str, keys: Mapping[str, str], now: float) -> Grant | Refusal:
    scheme, _, rest = token.partition(" ")
    parts = dict(part.partition("=")[::2] for part in rest.split("&"))
    if scheme != "SharedAccessSignature" or not {"sr", "sig", "se", "skn"} <= parts.keys():
        return Refusal(401, "MalformedToken: The token is malformed.")
    policy = urllib.parse.unquote_plus(parts["skn"])
    key = keys.get(policy)
    if key is None:
        return Refusal(401, f"InvalidSignature: There is no policy '{policy}'.")
    signed = hmac.digest(key.encode(), f"{parts['sr']}\n{parts['se']}".encode(), hashlib.sha256)
    if not hmac.compare_digest(base64.b64encode(signed).decode(), urllib.parse.unquote(parts["sig"])):
        return Refusal(401, "InvalidSignature: The token has an invalid signature.")
    own = hub_of(urllib.parse.unquote(parts["sr"]))
    if own.casefold() not in ("", hub.casefold()):
        return Refusal(401, f"InvalidAudience: The token is for '{own}', not for '{hub}'.")
    return _unless_expired(Grant(hub, float(parts["se"])), now)


def _unless_expired(grant: Grant, now: float) -> Grant | Refusal:
    if grant.expires <= now:
        return Refusal(401, f"ExpiredToken: The token is expired. Expiration time: '{grant.expires:.0f}'.")
    return grant
