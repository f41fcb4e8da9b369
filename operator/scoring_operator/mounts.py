"""What pods mount by the administrator's choice: a store that is a volume, a store's secret, a plugin's data.

Of volumes only those that Pod Security "restricted" lets a pod have. All are read-only but for the store, to
which pods write, and scratch space of the pod's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring_operator.sections import Section, SettingsError

STORE_FOLDER = "/var/sensorscore/store"
SECRET_FOLDER = "/etc/sensorscore/storage"  # noqa: S105 - a path
STORE, SECRET = "sensorscore-store", "sensorscore-storage"
SECRETS_STORE_DRIVER = "secrets-store.csi.k8s.io"
# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
VOLUME_TYPES = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
)
_WRITABLE = ("emptyDir", "ephemeral")
_OURS = ("tmp", "sensors", "decisions", STORE, SECRET)
_OUR_FOLDERS = ("/tmp", "/etc/sensorscore", "/var/sensorscore", "/opt/sensorscore", "/dev", "/proc", "/sys")  # noqa: S108
_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"  # a DNS label, as Kubernetes wants a volume's
_FOLDER, _FILE = r"/[^\s:]+", r"[-._a-zA-Z0-9]+"
_BELOW = r"((?!\.{1,2}(/|$))[^/\s]+(/(?!\.{1,2}(/|$))[^/\s]+)*)?"
Json = dict[str, Any]


@dataclass(frozen=True)
class SecretKey:
    """One key of a Secret in the run's namespace; the operator itself never reads it."""

    name: str
    key: str


@dataclass(frozen=True)
class StoreVolume:
    """A store that is a volume: a claim in the run's namespace, and the folder in it that is the store."""

    claim: str
    path: str = ""  # below the volume's root; the kubelet makes it if it is not there

    def volume(self) -> Json:
        """For the pod."""
        return {"name": STORE, "persistentVolumeClaim": {"claimName": self.claim}}

    def mount(self) -> Json:
        """For the container. The rest of the volume is out of its reach."""
        below = {"subPath": self.path} if self.path else {}
        return {"name": STORE, "mountPath": STORE_FOLDER, **below}


@dataclass(frozen=True)
class SecretFile:
    """A connection string that pods read from a file: of a Secret, or of the Secrets Store CSI driver."""

    file: str
    secret: str = ""
    provider_class: str = ""

    def volume(self) -> Json:
        """For the pod. Its objects are in the run's namespace, and the kubelet reads them."""
        if self.secret:
            item = {"key": self.file, "path": self.file}
            return {"name": SECRET, "secret": {"secretName": self.secret, "items": [item]}}
        attributes = {"secretProviderClass": self.provider_class}
        source = {"driver": SECRETS_STORE_DRIVER, "readOnly": True, "volumeAttributes": attributes}
        return {"name": SECRET, "csi": source}

    def mount(self) -> Json:
        """For the container."""
        return {"name": SECRET, "mountPath": SECRET_FOLDER, "readOnly": True}

    @property
    def path(self) -> str:
        """Where a pod finds it."""
        return f"{SECRET_FOLDER}/{self.file}"


@dataclass(frozen=True)
class Mounts:
    """Volumes of a runtime, and where its container has them, in Kubernetes' form."""

    volumes: tuple[Mapping[str, Any], ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()


def store_volume(section: Section) -> StoreVolume | None:
    """A store's `volume`. Raises SettingsError."""
    if not section.data:
        return None
    claim = section.section("persistentVolumeClaim")
    volume = StoreVolume(
        claim=claim.text("claimName"),
        path=section.text(
            "path", "", wanted=_BELOW, words="a path below the volume's root, without . and .."
        ),
    )
    claim.end()
    section.end()
    return volume


def secret_file(section: Section) -> SecretFile | None:
    """A store's `connectionStringFile`. Raises SettingsError."""
    if not section.data:
        return None
    found = SecretFile(
        file=section.text("file", wanted=_FILE, words="a file's name"),
        secret=section.text("secret", ""),
        provider_class=section.text("secretProviderClass", ""),
    )
    section.end()
    if bool(found.secret) == bool(found.provider_class):
        raise SettingsError(
            f"{section.path} is {section.data!r}; wanted one of secret and secretProviderClass"
        )
    return found


def runtime_mounts(section: Section) -> Mounts:
    """A runtime's `volumes` and `volumeMounts`. Raises SettingsError."""
    volumes = section.objects("volumes")
    types: dict[str, str] = {}
    for index, volume in enumerate(volumes):
        name, kind = _volume(volume, f"{section.path}.volumes[{index}]")
        if name in types or name in _OURS:
            why = "twice" if name in types else "Sensorscore's own"
            raise SettingsError(
                f"{section.path}.volumes[{index}].name is {name!r}, {why}; wanted another name"
            )
        types[name] = kind
    mounts = [
        _mount(Section(mount, f"{section.path}.volumeMounts[{index}]"), types)
        for index, mount in enumerate(section.objects("volumeMounts"))
    ]
    unused = sorted(types.keys() - {mount["name"] for mount in mounts})
    if unused:
        raise SettingsError(
            f"{section.path}.volumes: {unused[0]!r} is in no volumeMounts; wanted one for each"
        )
    return Mounts(tuple(volumes), tuple(mounts))


def _volume(volume: Mapping[str, Any], path: str) -> tuple[str, str]:
    kinds = [key for key in volume if key != "name"]
    if len(kinds) != 1 or kinds[0] not in VOLUME_TYPES or not isinstance(volume.get("name"), str):
        raise SettingsError(
            f"{path} has {', '.join(sorted(map(str, volume)))}; wanted a name, and a source that "
            f"Pod Security restricted allows: one of {', '.join(VOLUME_TYPES)}"
        )
    if not re.fullmatch(_NAME, volume["name"]):
        raise SettingsError(
            f"{path}.name is {volume['name']!r}; wanted at most 63 lower-case letters, digits and -"
        )
    return volume["name"], kinds[0]


def _mount(section: Section, types: Mapping[str, str]) -> Json:
    name = section.text(
        "name", wanted="|".join(map(re.escape, types)) or "(?!)", words="the name of one of its volumes"
    )
    folder = section.text("mountPath", wanted=_FOLDER, words="an absolute path")
    if folder == "/" or any(_touches(folder.rstrip("/"), ours) for ours in _OUR_FOLDERS):
        raise SettingsError(
            f"{section.path}.mountPath is {folder!r}; wanted a folder outside {', '.join(_OUR_FOLDERS)}"
        )
    below = section.text(
        "subPath", "", wanted=_BELOW, words="a path below the volume's root, without . and .."
    )
    section.end()
    mount: Json = {"name": name, "mountPath": folder} | ({"subPath": below} if below else {})
    return mount if types[name] in _WRITABLE else mount | {"readOnly": True}


def _touches(folder: str, ours: str) -> bool:
    """Whether one of the two lies in the other."""
    return folder == ours or folder.startswith(f"{ours}/") or ours.startswith(f"{folder}/")


def pod_volumes(
    chosen: Sequence[StoreVolume | SecretFile | None], more: Mounts
) -> tuple[list[Json], list[Json]]:
    """The pod's volumes, and the container's mounts of them."""
    own = [each for each in chosen if each is not None]
    volumes = [*(each.volume() for each in own), *map(dict, more.volumes)]
    return volumes, [*(each.mount() for each in own), *map(dict, more.mounts)]
