from __future__ import annotations

import traceback

import pytest

from scorer.storage import AddressError, open_store
from scorer.storage.address import EMULATOR_ENDPOINT, EMULATOR_KEY, azure_address

KEY = "c2VjcmV0LWtleQ=="


def test_account_and_container_come_from_the_url() -> None:
    address = azure_address("acc/cont/a/b/", None, False, None)
    assert (address.account, address.container, address.prefix) == ("acc", "cont", "a/b")
    assert address.endpoint == "https://acc.blob.core.windows.net"
    assert (address.account_key, address.sas) == (None, None)


@pytest.mark.parametrize(
    ("string", "endpoint", "key", "sas"),
    [
        (f"AccountName=acc;AccountKey={KEY}", "https://acc.blob.core.windows.net", KEY, None),
        (f"AccountName=acc;AccountKey={KEY};EndpointSuffix=other.cn", "https://acc.blob.other.cn", KEY, None),
        (f"AccountName=acc;AccountKey={KEY};BlobEndpoint=https://x.y/acc;", "https://x.y/acc", KEY, None),
        (
            "BlobEndpoint=https://x.y/;QueueEndpoint=https://q/;SharedAccessSignature=?sv=1&sig=a%3D",
            "https://x.y",
            None,
            "sv=1&sig=a%3D",
        ),
    ],
)
def test_connection_strings(string: str, endpoint: str, key: str | None, sas: str | None) -> None:
    address = azure_address("acc/cont", None, False, string)
    assert (address.endpoint, address.account_key, address.sas) == (endpoint, key, sas)


def test_the_emulator_has_its_own_string() -> None:
    address = azure_address("devstoreaccount1/cont", None, True, "UseDevelopmentStorage=true")
    assert (address.endpoint, address.account_key) == (EMULATOR_ENDPOINT, EMULATOR_KEY)


def test_an_endpoint_that_is_given_wins() -> None:
    string = f"AccountName=acc;AccountKey={KEY};BlobEndpoint=https://from.string/acc"
    assert azure_address("acc/cont", "https://given/acc/", False, string).endpoint == "https://given/acc"


@pytest.mark.parametrize(
    ("rest", "endpoint", "allow_http", "string", "names"),
    [
        ("acc", None, False, None, "azure://ACCOUNT/CONTAINER"),
        ("acc//b", None, False, None, "azure://ACCOUNT/CONTAINER"),
        ("acc/c", None, False, None, "3 to 63"),
        ("a-b/cont", None, False, None, "a-b"),
        ("acc/cont/../x", None, False, None, ".."),
        ("acc/cont", "http://x", False, None, "not encrypted"),
        ("acc/cont", "ftp://x", False, None, "ftp://x"),
        ("acc/cont", None, False, f"AccountName=other;AccountKey={KEY}", "other"),
        ("acc/cont", None, False, "AccountName=acc;AccountKey=not base64!", "AccountKey"),
        ("acc/cont", None, False, "AccountName=acc", "neither"),
        ("acc/cont", None, False, "AccountName=acc;AccountKey=schlüssel", "AccountKey"),
        ("acc/cont", None, False, KEY, "field 1 of"),
        ("acc/cont", None, False, f"AccountName=acc;{KEY}", "field 2 of"),
        ("acc/cont", None, False, f"AccountName=acc;AccountKye={KEY}", "field 2 of"),
        ("acc/cont", f"ftp://x?sig={KEY}", False, None, "ftp://x"),
        ("acc/cont", f"http://x?sig={KEY}", False, None, "not encrypted"),
    ],
)
def test_addresses_that_are_refused(
    rest: str, endpoint: str | None, allow_http: bool, string: str | None, names: str
) -> None:
    with pytest.raises(AddressError) as refusal:
        azure_address(rest, endpoint, allow_http, string)
    assert names in str(refusal.value)
    assert KEY.rstrip("=") not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("rest", "string"),
    [
        ("acc/cont", "BlobEndpoint=https://x.y;SharedAccessSignature=secret"),
        ("acc/cont", "BlobEndpoint=https://x.y;SharedAccessSignature=sig=secret%ff"),
        ("acc/cont", f"AccountName=acc;AccountKey={KEY};BlobEndpoint=https://a b?sig=secret"),
        ("acc/cont", f"AccountName=acc;AccountKey={KEY};BlobEndpoint=https://host:99999?sig=secret"),
        ("acc/cont/a\\\1/b", f"AccountName=acc;AccountKey={KEY}"),
    ],
)
def test_what_the_storage_client_refuses_is_said_without_secrets(rest: str, string: str) -> None:
    with pytest.raises(AddressError, match="wanted https://HOST") as refusal:
        open_store(f"azure://{rest}", connection_string=string)
    told = "".join(traceback.format_exception(refusal.value))
    assert "secret" not in told.replace("without_secrets", "")
    assert KEY not in told
