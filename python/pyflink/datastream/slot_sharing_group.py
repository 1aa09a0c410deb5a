"""Resources of a group of operators.

On one machine there are no slots: the settings are kept, without effect.
"""

from __future__ import annotations

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


__all__ = ["MemorySize", "SlotSharingGroup"]

_UNITS = {
    "b": 0,
    "bytes": 0,
    "": 0,
    "k": 10,
    "kb": 10,
    "m": 20,
    "mb": 20,
    "g": 30,
    "gb": 30,
    "t": 40,
    "tb": 40,
}


class MemorySize:
    """A number of bytes."""

    def __init__(self, j_memory_size: Any = None, bytes_size: int | None = None) -> None:
        if bytes_size is None:
            raise ValueError(
                "bytes_size is required; MemorySize.of_mebi_bytes(n) makes one from MiB"
            )
        if bytes_size < 0:
            raise ValueError(f"bytes must be >= 0, got {bytes_size}")
        self._bytes = bytes_size

    @staticmethod
    def of_mebi_bytes(mebi_bytes: int) -> MemorySize:
        """That many MiB."""
        return MemorySize(bytes_size=mebi_bytes << 20)

    @staticmethod
    def _parse(text: str) -> MemorySize:
        digits = len(text) - len(text.lstrip("0123456789"))
        unit = text[digits:].strip().lower()
        if digits == 0 or unit not in _UNITS:
            raise ValueError(f"{text!r} is no memory size; write 10 m, 1 gb, ...")
        return MemorySize(bytes_size=int(text[:digits]) << _UNITS[unit])

    def get_bytes(self) -> int:
        """Bytes."""
        return self._bytes

    def get_kibi_bytes(self) -> int:
        """Whole KiB."""
        return self._bytes >> 10

    def get_mebi_bytes(self) -> int:
        """Whole MiB."""
        return self._bytes >> 20

    def get_gibi_bytes(self) -> int:
        """Whole GiB."""
        return self._bytes >> 30

    def get_tebi_bytes(self) -> int:
        """Whole TiB."""
        return self._bytes >> 40

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemorySize) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __lt__(self, other: MemorySize) -> bool:
        return self._bytes < other._bytes

    def __le__(self, other: MemorySize) -> bool:
        return self._bytes <= other._bytes

    def __repr__(self) -> str:
        return f"MemorySize({self})"

    def __str__(self) -> str:
        for unit, shift in (("tb", 40), ("gb", 30), ("mb", 20), ("kb", 10)):
            if self._bytes and self._bytes % (1 << shift) == 0:
                return f"{self._bytes >> shift} {unit}"
        return f"{self._bytes} bytes"


class SlotSharingGroup:
    """A named group with resources; make one with :meth:`builder`."""

    def __init__(
        self,
        name: str,
        cpu_cores: float | None = None,
        task_heap_memory: MemorySize | None = None,
        task_off_heap_memory: MemorySize | None = None,
        managed_memory: MemorySize | None = None,
        external_resources: dict[str, float] | None = None,
    ) -> None:
        self._name = name
        self._cpu_cores = cpu_cores
        self._task_heap_memory = task_heap_memory
        self._task_off_heap_memory = task_off_heap_memory
        self._managed_memory = managed_memory
        self._external_resources = external_resources or {}

    @staticmethod
    def builder(name: str) -> Builder:
        """Starts a group."""
        return Builder(name)

    def get_name(self) -> str:
        """The name."""
        return self._name

    def get_cpu_cores(self) -> float | None:
        """CPU cores, or None."""
        return self._cpu_cores

    def get_task_heap_memory(self) -> MemorySize | None:
        """Heap memory, or None."""
        return self._task_heap_memory

    def get_task_off_heap_memory(self) -> MemorySize | None:
        """Off-heap memory, or None."""
        return self._task_off_heap_memory

    def get_managed_memory(self) -> MemorySize | None:
        """Managed memory, or None."""
        return self._managed_memory

    def get_external_resources(self) -> dict[str, float]:
        """Other resources by name."""
        return dict(self._external_resources)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotSharingGroup) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(self._name)


class Builder:
    """Builds a :class:`SlotSharingGroup`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._cpu_cores: float | None = None
        self._heap: MemorySize | None = None
        self._off_heap: MemorySize | None = None
        self._managed: MemorySize | None = None
        self._external: dict[str, float] = {}

    def set_cpu_cores(self, cpu_cores: float) -> Builder:
        """CPU cores."""
        if cpu_cores <= 0:
            raise ValueError(f"The cpu cores should be positive, got {cpu_cores}")
        self._cpu_cores = cpu_cores
        return self

    def set_task_heap_memory(self, task_heap_memory: str | MemorySize) -> Builder:
        """Heap memory, as MemorySize or text (``100 m``)."""
        self._heap = _positive_memory(task_heap_memory, "task heap memory")
        return self

    def set_task_heap_memory_mb(self, task_heap_memory_mb: int) -> Builder:
        """Heap memory in MiB."""
        return self.set_task_heap_memory(MemorySize.of_mebi_bytes(task_heap_memory_mb))

    def set_task_off_heap_memory(self, task_off_heap_memory: str | MemorySize) -> Builder:
        """Off-heap memory, as MemorySize or text."""
        self._off_heap = _memory(task_off_heap_memory)
        return self

    def set_task_off_heap_memory_mb(self, task_off_heap_memory_mb: int) -> Builder:
        """Off-heap memory in MiB."""
        return self.set_task_off_heap_memory(MemorySize.of_mebi_bytes(task_off_heap_memory_mb))

    def set_managed_memory(self, managed_memory: str | MemorySize) -> Builder:
        """Managed memory, as MemorySize or text."""
        self._managed = _memory(managed_memory)
        return self

    def set_managed_memory_mb(self, managed_memory_mb: int) -> Builder:
        """Managed memory in MiB."""
        return self.set_managed_memory(MemorySize.of_mebi_bytes(managed_memory_mb))

    def set_external_resource(self, name: str, value: float) -> Builder:
        """Another resource."""
        self._external[name] = value
        return self

    def build(self) -> SlotSharingGroup:
        """The group.

        :raises ValueError: when some resources are set, but not both CPU cores and heap memory.
        """
        if self._cpu_cores is not None and self._heap is not None:
            zero = MemorySize(bytes_size=0)
            return SlotSharingGroup(
                self._name,
                self._cpu_cores,
                self._heap,
                self._off_heap or zero,
                self._managed or zero,
                self._external,
            )
        if self._cpu_cores or self._heap or self._off_heap or self._managed or self._external:
            raise ValueError(
                "The cpu cores and task heap memory are required when specifying the resource of a"
                " slot sharing group. Set both, or none of the resources."
            )
        return SlotSharingGroup(self._name)


SlotSharingGroup.Builder = Builder  # type: ignore[attr-defined]


def _memory(size: str | MemorySize) -> MemorySize:
    return size if isinstance(size, MemorySize) else MemorySize._parse(size)


def _positive_memory(size: str | MemorySize, what: str) -> MemorySize:
    memory = _memory(size)
    if memory.get_bytes() == 0:
        raise ValueError(f"The {what} should be positive, got {size}")
    return memory
