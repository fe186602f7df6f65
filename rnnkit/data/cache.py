"""Encoded data on disk, found again by what it was made from.

    CACHE/corpora/KEY/NAME.npy     arrays, opened memory-mapped
    CACHE/corpora/KEY/meta.json    everything else, with format version and checksums

KEY is a hash of everything that decides the content. A folder is built under another name,
flushed to the disk and renamed, so it is complete or absent, and of two processes that build the
same one the first wins. The whole cache may be deleted at any time.

On every use meta.json is checked in full, and of every array the size and a checksum of up to 64
blocks of 1 MiB spread evenly over it: everything up to 64 MiB, a sample beyond, so that large
data does not have to be read before training begins.

When a new entry brings the cache above 20 GiB, the entries whose last use is longest ago are
removed until it fits. Arrays that are in use stay readable: the system keeps the pages of a
removed file as long as it is mapped.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnkit.runs.files import sync_folder

FORMAT = "rnnkit corpus"
FORMAT_VERSION = 3
LIMIT_BYTES = 20 * 2**30
_BLOCK_BYTES = 2**20
_BLOCKS = 64
_ABANDONED_AFTER_SECONDS = 24 * 3600.0
_BUILDING = ".building-"

Json = Mapping[str, Any]
"""An object of JSON values."""


class ArrayWriter(Protocol):
    """Storage for the arrays of an entry."""

    def __call__(
        self, name: str, pieces: Iterable[NDArray[Any]], *, dtype: np.dtype[Any], length: int
    ) -> None:
        """Store a one-dimensional array of `length` items of `dtype`, piece by piece."""
        ...


Build = Callable[[ArrayWriter], Json]
"""Write the arrays of an entry and return its document."""


@dataclass(frozen=True, eq=False)
class Entry:
    """Cached data, opened."""

    arrays: Mapping[str, NDArray[Any]]
    """Read-only, memory-mapped from NAME.npy."""
    document: Json
    """What the building function returned."""
    note: str = ""
    """Where the data comes from, for the user."""


class DamagedEntryError(ValueError):
    """A cache folder with wrong content; never reaches the user as an error."""


def default_folder(environment: Mapping[str, str]) -> Path:
    """Return `$RNNKIT_CACHE`, or else `rnnkit` in `$XDG_CACHE_HOME` or `~/.cache`.

    Raises RuntimeError when there is no home directory either.
    """
    if chosen := environment.get("RNNKIT_CACHE"):
        return Path(chosen)
    if base := environment.get("XDG_CACHE_HOME"):
        return Path(base) / "rnnkit"
    return Path.home() / ".cache" / "rnnkit"


def cached(key: Json, build: Build, *, folder: Path | None = None) -> Entry:
    """Open the entry of `key`, which is built if it is missing or damaged.

    `key` holds everything that decides the content, as JSON values. `folder` is the cache (None:
    the default one); where it cannot be written the entry is kept for this process only, in a
    temporary file or else in memory. What `build` raises is raised, OSError apart.
    """
    try:
        folder = folder or default_folder(os.environ)
    except RuntimeError:
        entry, place = _build_for_this_process(build)
        return replace(
            entry,
            note="There is no home directory to keep the encoded data in, so it is "
            f"{place} for this run only. Set RNNKIT_CACHE to a folder to keep it.",
        )
    path = entry_folder(folder, key)
    reason = "it was not in the cache"
    try:
        if entry := load_entry(path, key):
            return replace(entry, note=f"The encoded data is reused from {path}")
    except DamagedEntryError as error:
        reason = f"the cached copy is damaged: {error}"
    try:
        entry = _build_entry(path, key, build)
    except OSError as error:
        entry, place = _build_for_this_process(build)
        return replace(
            entry,
            note=f"The cache folder {folder} cannot be used ({error.strerror or error}), so the "
            f"encoded data is {place} for this run only. Set RNNKIT_CACHE to another folder to "
            "keep it.",
        )
    _evict(path)
    return replace(entry, note=f"The data was encoded into {path} ({reason}).")


def entry_folder(cache: Path, key: Json) -> Path:
    """Return the folder of the entry of `key`."""
    digest = hashlib.sha256(canonical_json({"version": FORMAT_VERSION, "key": key}))
    return cache / "corpora" / digest.hexdigest()[:32]


def load_entry(folder: Path, key: Json) -> Entry | None:
    """Open the entry in `folder`; None when there is none.

    Raises DamagedEntryError saying what is wrong with it.
    """
    try:
        if not folder.exists():
            return None
        meta = json.loads((folder / "meta.json").read_bytes())
        content = meta["content"]
        if (meta["format"], meta["version"]) != (FORMAT, FORMAT_VERSION):
            raise DamagedEntryError("meta.json is of another format")
        if meta["sha256"] != hashlib.sha256(canonical_json(content)).hexdigest():
            raise DamagedEntryError("the checksum of meta.json does not match")
        if content["key"] != json.loads(canonical_json(key)):
            raise DamagedEntryError("meta.json belongs to other data")
        for name, recorded in content["arrays"].items():
            path = folder / f"{name}.npy"
            if path.stat().st_size != recorded["bytes"]:
                raise DamagedEntryError(f"{path.name} has not the recorded size")
            if _sampled_checksum(path) != recorded["checksum"]:
                raise DamagedEntryError(f"the checksum of {path.name} does not match")
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in content["arrays"]
        }
        _mark_used(folder)
        return Entry(arrays, content["document"])
    except DamagedEntryError:
        raise
    except FileNotFoundError as error:
        raise DamagedEntryError(f"{Path(error.filename).name} is missing") from None
    except OSError as error:
        raise DamagedEntryError(f"it cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedEntryError("meta.json is not what rnnkit writes") from None


def _build_entry(folder: Path, key: Json, build: Build) -> Entry:
    """Write the entry and put it in its place, unless `build` raises.

    Raises OSError when the disk refuses it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder.parent)
    building = _new_folder(folder.parent)
    names: list[str] = []

    def write(
        name: str, pieces: Iterable[NDArray[Any]], *, dtype: np.dtype[Any], length: int
    ) -> None:
        _write_array(building / f"{name}.npy", pieces, dtype=dtype, length=length)
        names.append(name)

    try:
        document = build(write)
        paths = {name: building / f"{name}.npy" for name in names}
        content = {
            "key": key,
            "document": document,
            "arrays": {
                name: {"bytes": path.stat().st_size, "checksum": _sampled_checksum(path)}
                for name, path in paths.items()
            },
        }
        meta = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "sha256": hashlib.sha256(canonical_json(content)).hexdigest(),
            "content": content,
        }
        _write_flushed(building / "meta.json", canonical_json(meta))
        sync_folder(building)
        return _install(building, folder, key)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _build_for_this_process(build: Build) -> tuple[Entry, str]:
    """Return the entry without a cache, and where it is: in a temporary folder, which is removed
    at once (the open files stay readable), or in memory when no disk takes it."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="rnnkit-"))
        return _build_entry(folder / "entry", {}, build), "kept in a temporary file"
    except OSError:
        arrays: dict[str, NDArray[Any]] = {}

        def hold(
            name: str, pieces: Iterable[NDArray[Any]], *, dtype: np.dtype[Any], length: int
        ) -> None:
            arrays[name] = array = np.empty(length, dtype)
            position = 0
            for piece in pieces:
                array[position : position + len(piece)] = piece
                position += len(piece)
            array.flags.writeable = False

        document = build(hold)
        return Entry(arrays, json.loads(canonical_json(document))), "held in memory"
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _install(building: Path, folder: Path, key: Json) -> Entry:
    for _ in range(3):
        try:
            building.rename(folder)
            sync_folder(folder.parent)
        except OSError:
            if not folder.exists():
                raise
        try:
            if entry := load_entry(folder, key):
                return entry
        except DamagedEntryError:
            _discard(folder)
        if not building.exists():
            break
    raise OSError("the cache folder does not keep what is written to it")


def _evict(newest: Path) -> None:
    """Remove the entries used longest ago until the cache is at most LIMIT_BYTES large."""
    used: list[tuple[float, int, Path]] = []
    for path in newest.parent.iterdir():
        try:
            size = sum(file.stat().st_size for file in path.iterdir())
            used.append((path.stat().st_mtime, size, path))
        except OSError:
            continue  # another process removed it
    total = sum(size for _, size, _ in used)
    for _, size, path in sorted(used):
        if total <= LIMIT_BYTES:
            return
        if path != newest and not path.name.startswith(_BUILDING):
            _discard(path)
            total -= size


def _mark_used(folder: Path) -> None:
    """Set the time of the last use; a cache that may only be read keeps the old one."""
    with suppress(OSError):
        os.utime(folder)


def _discard(folder: Path) -> None:
    """Remove an entry in one step; a process that has it open keeps its pages."""
    with suppress(OSError):  # another process was faster, or the folder may only be read
        trash = _new_folder(folder.parent)
        try:
            folder.replace(trash / "discarded")
        finally:
            shutil.rmtree(trash, ignore_errors=True)


def _new_folder(corpora: Path) -> Path:
    """Create a folder under a name of its own, with the usual permissions: a cache may be
    shared."""
    path = corpora / f"{_BUILDING}{uuid.uuid4().hex}"
    path.mkdir()
    return path


def _remove_abandoned(corpora: Path) -> None:
    """Remove what killed processes left behind long ago."""
    for path in corpora.glob(f"{_BUILDING}*"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue


def _write_array(
    path: Path, pieces: Iterable[NDArray[Any]], *, dtype: np.dtype[Any], length: int
) -> None:
    """Write a .npy file front to back."""
    written = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file,
            {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": (length,),
            },
        )
        for piece in pieces:
            file.write(np.ascontiguousarray(piece, dtype).data)
            written += len(piece)
        file.flush()
        os.fsync(file.fileno())
    if written != length:
        raise ValueError(f"{path.name} has {written} items instead of {length}")


def _sampled_checksum(path: Path) -> str:
    """SHA-256 over up to 64 blocks of 1 MiB at even distances, the first and last included."""
    size = path.stat().st_size
    last = max(0, size - _BLOCK_BYTES)
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        if size <= _BLOCKS * _BLOCK_BYTES:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        else:
            for index in range(_BLOCKS):
                file.seek(last * index // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()


def canonical_json(content: object) -> bytes:
    """Return JSON that is the same for equal content, for checksums."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")


def _write_flushed(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
