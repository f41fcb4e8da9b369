"""Get ready all that a cluster needs, several things at once: minutes the first time, afterwards nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from local import azurite, build, image_base, images, packages, wheels
from local.places import Places

# In the order in which they are wanted; one after the other, since each keeps all processors busy.
_PROGRAMS = (build.KUBERNETES, build.CONTAINERD, build.ETCD, build.PAUSE, build.HELM)


def prepare(places: Places) -> None:
    """Build and install what is missing; raises LocalError for the first thing that could not be had."""
    tracks: tuple[Callable[[Places], None], ...] = (_programs, _system, _downloads)
    with ThreadPoolExecutor(len(tracks)) as pool:
        for track in [pool.submit(track, places) for track in tracks]:
            track.result()


def _programs(places: Places) -> None:
    for module in _PROGRAMS:
        build.ensure(places, module)


def _system(places: Places) -> None:
    packages.ensure()
    image_base.ensure(places)


def _downloads(places: Places) -> None:
    azurite.ensure(places)
    for part in images.PARTS:
        wheels.third_party(places, part)
