"""What this machine has and how fast it multiplies, seen without TensorFlow."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import threadpoolctl

MATRIX = 512  # side of the matrices that are multiplied
MEASURE_SECONDS = 0.1  # s of multiplying


def n_cores() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_threads() -> int:
    """Threads this process may compute with: ``OMP_NUM_THREADS``, else as many as cores."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and int(text) else n_cores()


def cpu_name() -> str:
    """Model name of the processor."""
    return _cpu_facts().get("model name") or platform.processor() or platform.machine()


def has_bfloat16() -> bool:
    """Whether the processor computes bfloat16 itself, as far as Linux says so."""
    return any(word.endswith("_bf16") for word in _cpu_facts().get("flags", "").split())


def has_gpu() -> bool:
    """Whether an NVIDIA driver shows a GPU; TensorFlow may still lack the libraries for it."""
    return any(Path("/proc/driver/nvidia/gpus").glob("*"))


def total_memory() -> int:
    """Memory that this process may have: the machine's, or what its control group allows; bytes."""
    limits = [int(text) for path in _group_limits() if (text := _first_line(path)).isdecimal()]
    return min([psutil.virtual_memory().total, *limits])


def address_limit() -> int | None:
    """Addresses that a process may map (``ulimit -v``), in bytes; None without a limit."""
    with contextlib.suppress(ImportError):
        import resource

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        return None if soft == resource.RLIM_INFINITY else soft
    return None


def _group_limits() -> list[Path]:
    """Files that hold the limits of memory of this process's control groups, versions 1 and 2."""
    root = Path("/sys/fs/cgroup")
    found = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, kinds, name = line.split(":", 2)
            if kinds == "memory":
                found.append(root / "memory" / name.strip("/") / "memory.limit_in_bytes")
            elif not kinds:
                own = root / name.strip("/")
                groups = [own, *own.parents]
                found += [one / "memory.max" for one in groups if one.is_relative_to(root)]
    return found


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def peak_memory() -> int:
    """Most memory that this process has had at once, in bytes; 0 where the system does not say.

    Linux's own count of this program, where it has one: ``ru_maxrss`` also holds the memory of the
    process that started this one.
    """
    with contextlib.suppress(OSError, StopIteration):
        return _status_bytes("self", "VmHWM")
    with contextlib.suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most
    return 0


def private_memory(pid: int) -> int:
    """Memory of a process without the pages of files that it maps, in bytes; 0 where it is gone.

    Where the system does not tell them apart, these count too.
    """
    with contextlib.suppress(OSError, StopIteration):
        return _status_bytes(str(pid), "RssAnon")
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).memory_info().rss
    return 0


def _status_bytes(process: str, name: str) -> int:
    """Value of a line of /proc/<process>/status, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(name)))


def free_memory() -> int:
    """Memory that a new process can have without swapping, in bytes."""
    return min(psutil.virtual_memory().available, total_memory())


@cache
def matmul_speed() -> float:
    """Floating-point operations per second that every core together spends on a matrix product.

    That of one core, times the cores: several threads would wait for one another where another
    job keeps a core busy. One core's is the best of about 0.1 s of float32 products of 512 × 512
    matrices (2·512³ operations each), measured once per process.
    """
    left = np.random.default_rng(0).random((MATRIX, MATRIX), dtype=np.float32)
    seconds: list[float] = []
    with threadpoolctl.threadpool_limits(1):
        start = time.perf_counter()
        while not seconds or time.perf_counter() < start + MEASURE_SECONDS:
            begin = time.perf_counter()
            left @ left
            seconds.append(time.perf_counter() - begin)
    return n_cores() * 2 * MATRIX**3 / min(seconds)


@cache
def _cpu_facts() -> dict[str, str]:
    """First value of every line of /proc/cpuinfo; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in reversed(lines) if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
