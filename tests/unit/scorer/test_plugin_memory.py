"""How much memory a plugin may take, by either version of control groups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scorer.plugin import memory

MIB = 1024 * 1024


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PHYS_PAGES": 4096 * 256, "SC_PAGE_SIZE": 4096}.__getitem__)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/statm").write_text(f"99999 {100 * 256} 1 1 0 1 0\n")
    return tmp_path


def put(machine: Path, cgroup: str, files: Mapping[str, str]) -> None:
    (machine / "proc/cgroup").write_text(cgroup)
    for name, text in files.items():
        path = machine / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        ("0::/\n", {"memory.max": f"{512 * MIB}\n"}, 512),
        ("0::/\n", {"memory.max": "max\n"}, 4096),
        ("0::/pod/main\n", {"pod/main/memory.max": "max", "pod/memory.max": f"{1024 * MIB}"}, 1024),
        (
            "3:cpu,memory:/kubepods/a\n1:name=systemd:/x\n",
            {"memory/kubepods/a/memory.limit_in_bytes": f"{768 * MIB}"},
            768,
        ),
        ("4:memory:/outside\n", {"memory/memory.limit_in_bytes": f"{640 * MIB}"}, 640),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, 4096),
        ("", {}, 4096),
    ],
)
def test_a_plugin_may_take_what_the_scorer_leaves_of_the_container_s_limit(
    machine: Path, cgroup: str, files: Mapping[str, str], limit: int
) -> None:
    put(machine, cgroup, files)
    assert memory.budget() == (limit - 100) * MIB - memory.RESERVE


@pytest.mark.parametrize(
    ("cgroup", "files", "kills"),
    [
        ("0::/\n", {"memory.events": "low 0\noom 5\noom_kill 3\noom_group_kill 0\n"}, 3),
        ("4:memory:/a\n", {"memory/a/memory.oom_control": "under_oom 0\noom_kill 2\n"}, 2),
        ("0::/\n", {}, 0),
    ],
)
def test_the_kernel_s_kills_for_want_of_memory_are_counted(
    machine: Path, cgroup: str, files: Mapping[str, str], kills: int
) -> None:
    put(machine, cgroup, files)
    assert memory.oom_kills() == kills


def test_this_machine_s_own_numbers_make_sense() -> None:
    assert memory.oom_kills() >= 0
    assert memory.budget() < 2**60
