"""What Azure's answers mean: an obstore error's text to one of storage's errors, in a sentence of our own.

obstore tells status and body as text, and no headers: a `Retry-After` cannot be seen. Sentences repeat
neither URLs' queries nor bodies, which may hold a signature or a token.
"""

from __future__ import annotations

import re

from obstore.exceptions import AlreadyExistsError, PreconditionError

from scorer.storage import ConflictError, DeniedError, NotFoundError, StorageError, UnavailableError

# Parts of an obstore error's text, compiled only when there is one.
_STATUS = r"status code: (\d{3})"
_CODE = r"<Code>(\w+)</Code>"
_DENIAL = r"\b(AADSTS\d+)\b"
_CAUSE = r'message: "([^"]+)"'
_QUERY = r"\?\S*"
_LEAD = r"^Generic MicrosoftAzure error: |Error performing \w+ | in [\d.]+\S*s(?= - )"
_IDENTITY = "Error performing token request"
_ANSWER_NOT_READ = "Error getting token response body"
_FILE_NOT_READ = "Error reading federated token file"

# https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
_CONFLICTS = {"", "BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet"}
_PASSING = {"ContainerBeingDeleted", "OperationTimedOut", "LeaseIdMissing", "PendingCopyOperation"}
_PASSING_STATUS = {408, 425}

# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_FEDERATION = (
    "check the federated credential: its issuer is the cluster's, its subject "
    "system:serviceaccount:NAMESPACE:NAME of the pod's service account"
)
_CHECKS = {
    **dict.fromkeys(("AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213"), _FEDERATION),
    "AADSTS700016": "check the client ID that annotates the pod's service account",
    "AADSTS90002": "check AZURE_TENANT_ID, which the workload identity webhook sets",
    "AADSTS700024": "check the node's clock, and that the federated token is renewed",
    "AuthenticationFailed": "check the account's key, or whether the signature has ended",
    "AuthorizationFailure": "check the account's network rules, or whether the signature has ended",
    "AuthorizationPermissionMismatch": "check its role, Storage Blob Data Contributor on the container, "
    "or the signature's permissions: read, create, write, delete, list",
    "KeyBasedAuthenticationNotPermitted": "check the account: it takes identities only, no key or signature",
}
"""What to see to, by the code of a refusal."""
_IDENTITY_CHECK = (
    "check that the identity is assigned to the node and that AZURE_CLIENT_ID, if set, is its own"
)


class ContainerMissingError(UnavailableError):
    """There is no such container: trying again at once does not help, making it does."""


class BusyError(UnavailableError):
    """Storage asks to be asked less (429, 503): the next try should wait longer than after other errors."""


class UnauthorizedError(DeniedError):
    """The token or signature is not taken (401): it may have been renewed or withdrawn."""


def meaning(operation: str, path: str, container: str, error: Exception) -> StorageError:
    """What the error of a request says about it. `container` is how people know it."""
    text = str(error)
    status, code = _status(text), _found(_CODE, text)
    if _IDENTITY in text:
        return _identity(status, text)
    if _ANSWER_NOT_READ in text:
        return UnavailableError(f"no token for storage: {_said(text).removeprefix(f'{_ANSWER_NOT_READ} - ')}")
    if _FILE_NOT_READ in text:
        return DeniedError(
            "no token for storage: the file that AZURE_FEDERATED_TOKEN_FILE names cannot be read: check that "
            "the pod is labelled azure.workload.identity/use"
        )
    if code in ("ContainerNotFound", "ContainerDisabled"):
        # Not NotFoundError: a missing container would read as thousands of sensors without a model.
        return ContainerMissingError(f"{container} does not exist: make it with `scorer store init`")
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"{path} does not exist")
    if isinstance(error, AlreadyExistsError | PreconditionError) and code in _CONFLICTS:
        return ConflictError(f"{path} was changed by someone else")
    said = f"{operation} {path}: storage answered {status} {code}".rstrip()
    if status in (401, 403):
        refused = f"{said}: the identity or key in use may not do this"
        check = f"; {_CHECKS[code]}" if code in _CHECKS else ""
        return (UnauthorizedError if status == 401 else DeniedError)(refused + check)
    if status in (429, 503):
        return BusyError(said)
    if 400 <= status < 500 and status not in _PASSING_STATUS and code not in _PASSING:
        return DeniedError(f"{said}: it does not take this request, and will not later")
    return UnavailableError(said if status else f"{operation} {path}: {_said(text)}")


def _identity(status: int, text: str) -> StorageError:
    """An identity that gives no token: another one, or its rights, are the administrator's to see to."""
    code = _found(_DENIAL, text)
    said = f"no token for storage: the identity's endpoint answered {status} {code}"
    if status in (400, 401, 403):
        return DeniedError(
            f"{said.rstrip()}: {_CHECKS.get(code, _IDENTITY_CHECK)} "
            "(or give a connection string in AZURE_STORAGE_CONNECTION_STRING)"
        )
    if status:
        return (BusyError if status in (429, 503) else UnavailableError)(said.rstrip())
    return UnavailableError(f"no token for storage: {_said(text)}")


def _status(text: str) -> int:
    return int(_found(_STATUS, text) or 0)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _said(text: str) -> str:
    """The first line and the deepest cause, without URLs' queries: those may hold an access signature."""
    line = re.sub(_LEAD, "", re.sub(_QUERY, "", text.partition("\n")[0]))
    causes = re.findall(_CAUSE, text)
    return " ".join((f"{line} ({causes[-1]})" if causes else line).split())
