"""``RealSet``: a real set, from torchvision's layout where that is whole, else from its packed file."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo, Verification
from course_lib.data.real.folder import data_folder, find
from course_lib.data.real.packs import DAMAGE
from course_lib.files import sha256
from course_lib.runtime import CourseError


@dataclass(frozen=True)
class Torchvision:
    """How torchvision holds a set.

    Attributes:
        dataset: name of the class in ``torchvision.datasets``.
        splits: our split -> the class's own arguments.
        layout: the files and folders that the set consists of, below ``COURSE_DATA``.
        read: (dataset, split, **options) -> ImageSet.
        spare: patterns of downloaded archives inside the layout that nobody needs once they are unpacked.
    """

    dataset: str
    splits: dict[str, dict]
    layout: tuple[str, ...]
    read: Callable[..., ImageSet]
    spare: tuple[str, ...] = ()

    def open(self, root: Path, split: str, download: bool = False):
        """torchvision's own object; it checks its files as torchvision does."""
        from torchvision import datasets

        return getattr(datasets, self.dataset)(root=str(root), download=download, **self.splits[split])

    def at(self, root: Path) -> bool:
        """Whether anything of the set lies in a folder."""
        return any((root / entry).exists() for entry in self.layout)


@dataclass(frozen=True)
class RealSet:
    """A real set: what is said of it, its two forms, its options and its classes' names."""

    info: SetInfo
    torchvision: Torchvision | None = None
    unpack: Callable[..., ImageSet] | None = None
    class_names: tuple[str, ...] | None = None

    def make(self, split: str, **options) -> ImageSet:
        """Read a split from the data folder; never from the network."""
        options, damages = self.info.options | options, []
        for form in self._forms():
            try:
                return form.read(split, options)
            except DAMAGE as problem:
                damages.append((form.damage(problem), problem))
        if damages:
            raise CourseError(damages[0][0]) from damages[0][1]
        raise CourseError(
            f"The set {self.info.name} was asked for, but the data folder {data_folder()} does not hold it: "
            f"{self.advice()}."
        )

    def available(self) -> bool:
        """Whether files of the set are in the data folder, whole or not."""
        return bool(self._forms())

    def verify(self) -> Verification:
        """Check the forms of the set that are here, in the order in which :meth:`make` tries them."""
        name, found = self.info.name, None
        for form in self._forms():
            try:
                same = form.check()
            except DAMAGE as problem:
                found = found or Verification(name, "broken", form.damage(problem))
                continue
            if same:
                return Verification(name, "ok", f"{form.where} is whole.")
            says = f"{form.where} can be read, but it is not the file that the course knows."
            return Verification(name, "differs", says)
        missing = f"The data folder {data_folder()} does not hold it: {self.advice()}."
        return found or Verification(name, "missing", missing)

    def advice(self) -> str:
        """What to do to get the set, without a full stop."""
        if self.torchvision:
            return f"run `course data fetch {self.info.name}`, or set COURSE_DATA to a folder that has it"
        return f"put the file {self.info.packed} there, or set COURSE_DATA to a folder that has it"

    def laid_out(self, root: Path) -> "Form":
        """torchvision's layout below ``root``."""

        def read(split, options):
            dataset = self.torchvision.open(root, split)
            return self._finish(self.torchvision.read(dataset, split, **options), split, options)

        def check():
            for split in self.info.sizes:
                found = read(split, self.info.options)
                if split in self.info.digests and found.digest() != self.info.digests[split]:
                    raise ValueError(f"the pictures of the split {split} are not the official ones")
            return True

        return Form(f"torchvision's {self.torchvision.dataset} in {root}", read, check, self.advice())

    def packed(self, path: Path) -> "Form":
        """The packed file ``path``."""

        def read(split, options):
            return self._finish(self.unpack(path, split, **options), split, options)

        def check():
            if sha256(path) == self.info.sha256:
                return True
            for split in self.info.sizes:
                read(split, self.info.options)
            return False

        return Form(f"The packed file {path}", read, check, "replace it")

    def _forms(self) -> list["Form"]:
        folder, path = data_folder(), find(self.info.packed)
        laid_out = [self.laid_out(folder)] if self.torchvision and self.torchvision.at(folder) else []
        return laid_out + ([self.packed(path)] if path else [])

    def _finish(self, found: ImageSet, split, options) -> ImageSet:
        wanted = self.info.sizes[split]
        selects = any(options.get(key) is not None for key in ("n", "domain"))
        if not selects and len(found) != wanted:
            raise ValueError(f"{len(found)} images where {wanted} belong")
        names = self.class_names or found.class_names
        return dataclasses.replace(found, class_names=names, name=self.info.name, split=split)


@dataclass(frozen=True)
class Form:
    """One form in which a set lies on this machine.

    Attributes:
        where: in words, to begin a sentence with.
        read: (split, options) -> ImageSet; raises one of ``DAMAGE`` where the files are not whole.
        check: True if all of it is what the course knows, False if it differs; raises like ``read``.
        remedy: what to do when it is damaged.
    """

    where: str
    read: Callable[[str, dict], ImageSet]
    check: Callable[[], bool]
    remedy: str

    def damage(self, problem: BaseException) -> str:
        return f"{self.where} is damaged or not all there ({short(problem)}): {self.remedy}."


def real_info(name, title, licence, source, shape, classes, sizes, **more) -> SetInfo:
    """What is said of a real set; every packed file and checksum is named in ``more``."""
    return SetInfo(name, "real", title, licence, source, shape, classes, sizes, **more)


def short(problem: BaseException) -> str:
    """An exception's own words, cut to one line."""
    text = str(problem).strip() or type(problem).__name__
    return text.splitlines()[0].rstrip(".:")[:160]
