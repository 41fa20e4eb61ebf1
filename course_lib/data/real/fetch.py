"""Downloading a real set so that it is whole or not there: into a folder beside, checked, then renamed."""

import errno
import http.client
import shutil
import tarfile
import tempfile
from pathlib import Path

from course_lib.data.real.folder import data_folder
from course_lib.data.real.packs import DAMAGE
from course_lib.data.real.source import RealSet, short
from course_lib.runtime import CourseError

_UNPACKED = 2.5  # archives and what they hold stand side by side for a while


def fetch_real(source: RealSet) -> Path:
    """Download a set with torchvision into the data folder, unless it is there and whole.

    Returns:
        The data folder.

    Raises:
        CourseError: the set cannot be downloaded, the network or the disk fails, or what arrives is damaged;
            the data folder is then as it was.
    """
    name, folder, held = source.info.name, data_folder(), source.torchvision
    if source.verify().state == "ok":
        return folder
    if held is None:
        raise CourseError(f"The set {name} cannot be downloaded by the course: {source.advice()}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _see_room(folder, _UNPACKED * source.info.download)
        with tempfile.TemporaryDirectory(
            dir=folder, prefix=f".fetch-{name}-", ignore_cleanup_errors=True
        ) as beside:
            beside = Path(beside)
            for split in held.splits:
                held.open(beside, split, download=True)
            source.laid_out(beside).check()
            for pattern in held.spare:
                for archive in beside.glob(pattern):
                    archive.unlink()
            _move(beside, folder, held.layout)
    except (*DAMAGE, http.client.HTTPException, tarfile.TarError) as problem:
        raise CourseError(
            f"Could not fetch {name} into {folder}: {_why(problem)}; nothing was left half-written."
        ) from problem
    return folder


def _see_room(folder: Path, megabytes: float) -> None:
    free = shutil.disk_usage(folder).free / 1e6
    if free < megabytes:
        raise OSError(errno.ENOSPC, f"about {megabytes:.0f} MB are needed and {free:.0f} MB are free")


def _move(beside: Path, folder: Path, layout: tuple[str, ...]) -> None:
    for entry in layout:
        target = folder / entry
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():  # damaged, or it would not have been fetched
            target.rename(beside / f"{target.name}.old")
        (beside / entry).rename(target)


def _why(problem: BaseException) -> str:
    """The reason and the way out, from an exception and all that led to it."""
    chain, causes = problem, []
    while chain is not None and chain not in causes:
        causes.append(chain)
        chain = chain.__cause__ or chain.__context__
    text = " ".join(map(str, causes))
    failed = next((c for c in causes if isinstance(c, OSError) and c.errno), OSError(0, ""))
    if failed.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({failed.strerror}); free some space, or set COURSE_DATA to another disk"
    if failed.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "the folder may not be written to; set COURSE_DATA to a folder of yours"
    if failed.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file stands where a folder is needed; set COURSE_DATA to a folder"
    if "HTTP Error" in text:
        return f"the server does not give it out ({short(problem)}); try again later"
    if any(isinstance(c, (TimeoutError, ConnectionError)) for c in causes) or "urlopen error" in text:
        return "the server cannot be reached; connect to the internet and try again"
    if "gdown" in text:
        return "it lies on Google Drive, which needs the package gdown; run `pip install gdown` and try again"
    return f"what arrived is damaged or incomplete ({short(problem)}); try again later"
