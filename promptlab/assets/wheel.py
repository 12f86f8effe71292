"""One pinned package wheel, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptlab.files.cache import format_size


@dataclass(frozen=True)
class Member:
    """A file inside a wheel that promptlab uses; ``sha256`` where the file is large or a model."""

    name: str
    sha256: str | None = None


@dataclass(frozen=True)
class Asset:
    """One pinned wheel: its hash, its size in bytes, and the members that are kept (all if none).

    ``unpacked`` is the size of those members in bytes.
    """

    distribution: str
    version: str
    sha256: str
    size: int
    unpacked: int
    licence: str
    members: tuple[Member, ...] = field(default=())

    @property
    def filename(self) -> str:
        """The wheel's file name."""
        return f"{self.distribution.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def requirement(self) -> str:
        """The wheel as a requirement for pip or uv."""
        return f"{self.distribution}=={self.version}"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({format_size(self.size)})"
