"""Makes a store where there is none yet: the only use of Azure's own library, which can make containers."""

from __future__ import annotations

from pathlib import Path

from scorer.storage import AddressError, DeniedError, UnavailableError
from scorer.storage.address import azure_address


def create_store(
    url: str, endpoint: str | None = None, allow_http: bool = False, connection_string: str | None = None
) -> bool:
    """Makes the container or folder; False if it is there already. Raises AddressError and StorageError."""
    scheme, _, rest = url.partition("://")
    if scheme == "azure":
        return _create_container(rest, endpoint, allow_http, connection_string)
    if scheme == "file" and rest.startswith("/"):
        return _create_folder(Path(rest))
    raise AddressError(
        f"store URL {url!r} cannot be made: wanted azure://ACCOUNT/CONTAINER or file:///FOLDER"
    )


def _create_folder(folder: Path) -> bool:
    if folder.is_dir():
        return False
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise DeniedError(f"store folder {folder} cannot be made: {error.strerror}") from error
    return True


def _create_container(
    rest: str, endpoint: str | None, allow_http: bool, connection_string: str | None
) -> bool:
    from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    if not connection_string:
        raise AddressError(
            "store init needs AZURE_STORAGE_CONNECTION_STRING; with an identity, make the container by "
            "`az storage container create --auth-mode login`"
        )
    address = azure_address(rest, endpoint, allow_http, connection_string)
    # Not the string itself: its endpoint may be another than the store's. The name beside the key, because
    # the library takes it from Azure's own addresses only.
    credential: dict[str, str] | str | None = address.sas
    if address.account_key:
        credential = {"account_name": address.account, "account_key": address.account_key}
    service = BlobServiceClient(address.endpoint, credential=credential)
    try:
        service.create_container(address.container)
    except ResourceExistsError:
        return False
    except HttpResponseError as error:
        what = f"container {address.container!r} of account {address.account!r}"
        said = f"{what} was not made: {getattr(error, 'error_code', '') or error.reason}"
        raise (DeniedError if error.status_code in (401, 403) else UnavailableError)(said) from error
    except AzureError as error:
        raise UnavailableError(
            f"container {address.container!r} at {address.endpoint}: {error.message}"
        ) from error
    finally:
        service.close()
    return True
