"""Profiles as they travel: what of them, and what is refused of a stream that somebody else may have made."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waxbill_browser import packing
from waxbill_browser.packing import PIECE_BYTES, Damaged, TooLarge, pack, unpack

MB = 1024 * 1024
LEVELDB = "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make(folder: Path, **found: bytes) -> Path:
    for name, content in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def stream(*entries: tuple[bytes, bytes], end: bytes = struct.pack(">HQ", 0, 0)) -> list[bytes]:
    """What somebody may have put into the database: paths with their bytes."""
    raw = b"".join(struct.pack(">HQ", len(name), len(content)) + name + content for name, content in entries) + end
    return [zlib.compress(raw)]


@pytest.fixture
def there(tmp_path: Path) -> Path:
    made = tmp_path / "there"
    made.mkdir()
    return made


def test_what_a_site_keeps_travels_and_caches_and_settings_do_not(tmp_path: Path, there: Path) -> None:
    kept = {
        f"{LEVELDB}/000003.log": random.Random(1).randbytes(3 * PIECE_BYTES),
        f"{LEVELDB}/LOCK": b"",
        "Default/Local Storage/leveldb/CURRENT": b"MANIFEST-000001\n",
        "Default/WebStorage/QuotaManager": b"quota",
        "Default/Cookies": b"cookies",
    }
    left = {
        "Default/Cache/Cache_Data/f_000001": b"x",
        "Default/Code Cache/js/index": b"x",
        "Default/GPUCache/data_1": b"x",
        "Default/Service Worker/CacheStorage/1/index": b"x",
        "Default/WebStorage/2/CacheStorage/index": b"x",
        "Default/Preferences": b"{}",
        "Local State": b"{}",
        "waxbill-run": b"1 a",
    }
    pieces = list(pack(make(tmp_path / "here", **kept, **left), 10 * MB))
    assert len(pieces) > 2
    assert {len(piece) for piece in pieces[:-1]} == {PIECE_BYTES}
    unpack(pieces, there, 10 * MB)
    assert files(there) == kept


def test_files_and_folders_are_private_whatever_the_umask(tmp_path: Path, there: Path) -> None:
    pieces = list(pack(make(tmp_path / "here", **{f"{LEVELDB}/1": b"x"}), MB))
    before = os.umask(0)
    try:
        unpack(pieces, there, MB)
    finally:
        os.umask(before)
    modes = {str(path.relative_to(there)): path.stat().st_mode & 0o777 for path in there.rglob("*")}
    assert modes == {"Default": 0o700, "Default/IndexedDB": 0o700, LEVELDB: 0o700, f"{LEVELDB}/1": 0o600}


def test_links_and_devices_do_not_travel(tmp_path: Path, there: Path) -> None:
    here = make(tmp_path / "here", **{f"{LEVELDB}/1": b"x"})
    secret = make(tmp_path / "secret", key=b"secret")
    (here / LEVELDB / "link").symlink_to(secret / "key")
    (here / "Default/Local Storage").symlink_to(secret)
    os.mkfifo(here / LEVELDB / "pipe")
    unpack(pack(here, MB), there, MB)
    assert files(there) == {f"{LEVELDB}/1": b"x"}


def test_a_profile_that_is_larger_than_may_travel_is_refused(tmp_path: Path) -> None:
    here = make(tmp_path / "here", **{f"{LEVELDB}/1": bytes(2 * MB)})
    with pytest.raises(TooLarge, match=r"more than 1 MB .WAXBILL_BROWSER_PROFILE_MB"):
        list(pack(here, MB))


@pytest.mark.parametrize(
    "name",
    [
        b"../evil",
        b"/etc/evil",
        b"Default/IndexedDB/../../../evil",
        b"Default/IndexedDB/./evil",
        b"Default/IndexedDB//evil",
        b"Default/IndexedDB/",
        b"Default/IndexedDB/a\0b",
        b"Default/IndexedDB/" + b"n" * 256,
        b"Default/IndexedDB/" + b"n/" * 1024,
        b"Default/Preferences",
        b"Default/Extensions/evil/manifest.json",
        b"Default",
        b"Local State",
    ],
)
def test_a_path_that_no_profile_would_send_is_refused(name: bytes, tmp_path: Path, there: Path) -> None:
    with pytest.raises(Damaged):
        unpack(stream((b"Default/IndexedDB/1", b"good"), (name, b"evil")), there, MB)
    assert files(tmp_path) == {"there/Default/IndexedDB/1": b"good"}


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        (stream((b"Default/Cookies", b"1"), (b"Default/Cookies", b"2")), "there twice"),
        (stream((b"Default/IndexedDB/1", b""), (b"Default/IndexedDB/1/2", b"")), "there twice"),
        (stream((b"Default/IndexedDB/1/2", b""), (b"Default/IndexedDB/1", b"")), "there twice"),
        (stream((b"Default/Cookies", bytes(2 * MB))), "more than 1048576 bytes"),
        (stream(*((b"Default/IndexedDB/%d" % n, b"") for n in range(1000))), "more than 1048576 bytes"),
        (stream((b"Default/Cookies", b"1"), end=b""), "ends early"),
        (stream(end=struct.pack(">HQ", 15, 100) + b"Default/Cookies"), "ends early"),
        (stream(end=struct.pack(">HQ", 0, 0) + b"more"), "follows its end"),
        ([*stream(), b"more"], "follows its end"),
        ([stream()[0] + b"more"], "follows its end"),
        ([stream((b"Default/Cookies", b"1"))[0][:-1]], "ends early"),
        ([b"no stream at all"], "header"),
        ([], "ends early"),
    ],
    ids=range(13),
)
def test_a_stream_that_is_no_profile_is_refused(pieces: list[bytes], reason: str, there: Path) -> None:
    with pytest.raises(Damaged, match=reason):
        unpack(pieces, there, MB)


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    (whole,) = pack(make(tmp_path / "here", **{"Default/Cookies": b"cookies" * 50}), MB)
    for at in range(len(whole)):
        folder = tmp_path / str(at)
        folder.mkdir()
        with pytest.raises(Damaged):
            unpack([whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]], folder, MB)


def test_a_file_that_becomes_shorter_while_it_is_read_is_no_copy(tmp_path: Path) -> None:
    path = make(tmp_path / "here", **{f"{LEVELDB}/1": random.Random(1).randbytes(3 * PIECE_BYTES)}) / LEVELDB / "1"
    pieces = pack(tmp_path / "here", 10 * MB)
    next(pieces)
    os.truncate(path, PIECE_BYTES)
    with pytest.raises(OSError, match="became shorter"):
        list(pieces)


def test_pieces_may_be_cut_anywhere(tmp_path: Path, there: Path) -> None:
    here = make(tmp_path / "here", **{f"{LEVELDB}/{n}": random.Random(n).randbytes(n * 100) for n in range(20)})
    whole = b"".join(packing.pack(here, MB))
    unpack((whole[at : at + 7] for at in range(0, len(whole), 7)), there, MB)
    assert files(there) == files(here)


_PARTS = st.sampled_from(
    ["Default", "IndexedDB", "Cookies", "WebStorage", "CacheStorage", "..", ".", "", "a", "\udcff"]
)
_ENTRIES = st.lists(st.tuples(st.lists(_PARTS, min_size=1, max_size=5).map("/".join), st.binary(max_size=20)))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(_ENTRIES, st.integers(0, 2000), st.binary(max_size=3), st.integers(1, 50))
def test_whatever_comes_stays_in_the_folder_and_within_bounds(
    entries: list[tuple[str, bytes]], cut: int, noise: bytes, step: int
) -> None:
    raw = zlib.decompress(stream(*((os.fsencode(name), content) for name, content in entries))[0])
    whole = zlib.compress(raw[:cut] + noise + raw[cut + len(noise) :])
    with tempfile.TemporaryDirectory() as outside:
        there = Path(outside) / "there"
        there.mkdir()
        with contextlib.suppress(Damaged):
            unpack((whole[at : at + step] for at in range(0, len(whole), step)), there, 16 * 1024)
        assert {path.name for path in Path(outside).iterdir()} == {"there"}
        assert all(packing.travels(name) for name in files(there))
        assert len(files(there)) <= 4
        assert not [path for path in there.rglob("*") if path.is_symlink()]
