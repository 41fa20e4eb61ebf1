"""Fetching: whole or not there, and one sentence for whatever goes wrong. Nothing here uses a network."""

import errno
import shutil
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest
import torchvision

from course_lib import data
from course_lib.runtime import CourseError
from tests.data.small_files import N, one_sentence, write_mnist, write_mnist_pack


@pytest.fixture
def server(monkeypatch, shrink):
    """torchvision's MNIST, but ``server.arrives(root)`` writes what the network would bring."""
    shrink("mnist")

    class MNIST(torchvision.datasets.MNIST):  # the class's name is part of the layout
        arrives = staticmethod(write_mnist)
        downloads = 0

        def download(self):
            MNIST.downloads += 1
            MNIST.arrives(self.root)

    monkeypatch.setattr(torchvision.datasets, "MNIST", MNIST)
    return MNIST


def contents(folder: Path) -> dict:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_fetch_brings_the_set_and_nothing_else(folder, server):
    def archive_and_files(root):
        write_mnist(root)
        Path(root, "MNIST/raw/train-images-idx3-ubyte.gz").write_bytes(b"archive")
        Path(root, "something-else.tar.gz").write_bytes(b"archive")

    server.arrives = staticmethod(archive_and_files)
    assert data.fetch("mnist") == folder
    assert sorted(contents(folder)) == [
        f"MNIST/raw/{split}-{what}-ubyte"
        for split in ("t10k", "train")
        for what in ("images-idx3", "labels-idx1")
    ]
    assert [p.name for p in folder.iterdir()] == ["MNIST"]
    assert len(data.load("mnist")) == N["train"] and data.verify("mnist").state == "ok"


def test_what_is_there_and_whole_is_not_fetched_again(folder, server):
    data.fetch("mnist")
    done = server.downloads
    assert data.fetch("mnist") == folder and server.downloads == done > 0


def test_the_folder_is_made(folder, server, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(folder / "a" / "b"))
    assert data.fetch("mnist") == folder / "a" / "b"


def test_damaged_files_are_replaced(folder, server):
    write_mnist(folder)
    file = folder / "MNIST/raw/train-images-idx3-ubyte"
    file.write_bytes(b"half")
    (folder / "other").write_bytes(b"not ours")
    data.fetch("mnist")
    assert data.verify("mnist").state == "ok" and len(contents(folder)) == 5


def no_server(root):
    raise URLError("[Errno -3] Temporary failure in name resolution")


def every_mirror_fails(root):
    try:
        no_server(root)
    except URLError as problem:  # as torchvision does for MNIST: the reason stands in the text only
        text = f"Error downloading x.gz:\nTried http://mirror/, got:\n{problem}\n"
    raise RuntimeError(text)


def connection_breaks(root):
    write_mnist(root)
    raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def too_slow(root):
    raise TimeoutError("timed out")


def not_given_out(root):
    raise HTTPError("http://x", 403, "Forbidden", None, None)


def disk_fills(root):
    write_mnist(root)
    raise OSError(errno.ENOSPC, "No space left on device")


def folder_turns_read_only(root):
    raise OSError(errno.EROFS, "Read-only file system")


def half_arrives(root):
    write_mnist(root)
    file = Path(root, "MNIST/raw/train-images-idx3-ubyte")
    file.write_bytes(file.read_bytes()[:1000])


def too_few_arrive(root):
    write_mnist(root, sizes={"train": 29, "test": 20})


def no_tool(root):
    raise RuntimeError("To download files from GDrive, 'gdown' is required. You can install it with pip.")


TROUBLES = {
    no_server: "the server cannot be reached; connect to the internet",
    every_mirror_fails: "the server cannot be reached",
    connection_breaks: "the server cannot be reached",
    too_slow: "the server cannot be reached",
    not_given_out: "the server does not give it out (HTTP Error 403",
    disk_fills: "the disk is full",
    folder_turns_read_only: "the folder may not be written to",
    half_arrives: "what arrived is damaged or incomplete",
    too_few_arrive: "29 images where 30 belong",
    no_tool: "pip install gdown",
}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
@pytest.mark.parametrize("before", ["nothing", "a damaged set"])
def test_trouble_leaves_the_folder_as_it_was(folder, server, trouble, before):
    if before == "a damaged set":
        write_mnist(folder, sizes={"train": 3, "test": 3})
    was = contents(folder)
    server.arrives = staticmethod(trouble)
    with pytest.raises(CourseError) as problem:
        data.fetch("mnist")
    text = one_sentence(problem)
    assert (
        TROUBLES[trouble] in text and "mnist" in text and str(folder) in text and "nothing was left" in text
    )
    assert contents(folder) == was and not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_other_images_than_the_official_ones_do_not_come_in(folder, server, shrink):
    source = shrink("mnist")
    source.info.digests["train"] = "0" * 64
    with pytest.raises(CourseError, match="not the official ones"):
        data.fetch("mnist")
    assert list(folder.iterdir()) == []


def test_ctrl_c_leaves_nothing(folder, server):
    def impatient(root):
        write_mnist(root)
        raise KeyboardInterrupt

    server.arrives = staticmethod(impatient)
    with pytest.raises(KeyboardInterrupt):
        data.fetch("mnist")
    assert list(folder.iterdir()) == []


def test_a_disk_that_is_too_full_is_seen_before_the_download(folder, server, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10, 10))
    with pytest.raises(CourseError) as problem:
        data.fetch("mnist")
    assert "the disk is full (about" in one_sentence(problem) and server.downloads == 0


def test_a_file_in_the_folders_place(folder, server, monkeypatch):
    (folder / "file").write_text("")
    for place in (folder / "file", folder / "file" / "below"):
        monkeypatch.setenv("COURSE_DATA", str(place))
        with pytest.raises(CourseError) as problem:
            data.fetch("mnist")
        assert "a file stands where a folder is needed" in one_sentence(problem)


def test_a_folder_that_may_not_be_written_to(folder, server, monkeypatch):
    import tempfile

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(CourseError) as problem:
        data.fetch("mnist")
    assert "the folder may not be written to; set COURSE_DATA" in one_sentence(problem)


def test_packed_files_count_as_there_and_cannot_be_fetched(folder, server, shrink):
    with pytest.raises(CourseError) as problem:
        data.fetch("pacs64")
    text = one_sentence(problem)
    assert "cannot be downloaded" in text and "pacs64.zip" in text
    from course_lib.files import sha256

    source = shrink("mnist")
    object.__setattr__(source.info, "sha256", sha256(write_mnist_pack(folder)))
    assert data.fetch("mnist") == folder and server.downloads == 0
