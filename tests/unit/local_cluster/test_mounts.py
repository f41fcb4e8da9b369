from pathlib import Path

from local.mounts import parse

MOUNTINFO = """\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 21 254:0 /home/a/.cache/cluster /run/sensorscore-aaaaaa/state rw - ext4 /dev/vda rw
41 40 0:50 / /run/sensorscore-aaaaaa/state/kubelet/pods/1/volumes/token rw - tmpfs tmpfs rw
42 21 0:51 / /run/sensorscore-aaaaaa-images/overlay rw - overlay overlay rw
43 21 0:52 / /home/a\\040b/.cache/x rw - tmpfs tmpfs rw
"""


def test_what_was_mounted_last_comes_first() -> None:
    assert parse(MOUNTINFO, [Path("/run/sensorscore-aaaaaa")]) == [
        Path("/run/sensorscore-aaaaaa/state/kubelet/pods/1/volumes/token"),
        Path("/run/sensorscore-aaaaaa/state"),
    ]


def test_a_longer_name_of_another_directory_is_not_below() -> None:
    assert parse(MOUNTINFO, [Path("/run/sensorscore-a")]) == []


def test_octal_numbers_are_characters() -> None:
    assert parse(MOUNTINFO, [Path("/home/a b")]) == [Path("/home/a b/.cache/x")]
