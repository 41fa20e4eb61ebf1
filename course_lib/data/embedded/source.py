"""``Embedded``: a set made by code, checked by drawing it again."""

from collections.abc import Callable
from dataclasses import dataclass

from course_lib.data.image_set import ImageSet
from course_lib.data.info import SetInfo, Verification


@dataclass(frozen=True)
class Embedded:
    """What is said of the set, and the function ``make(split, **options)`` that draws it."""

    info: SetInfo
    make: Callable[..., ImageSet]

    def available(self) -> bool:
        return True

    def verify(self) -> Verification:
        """Draw every split with the default options and compare with the recorded digests.

        A set that only NumPy and scikit-learn draw must come out bit for bit, or it is "broken". Where
        another library has a say in it (``info.drawn_with``), it "differs": good to use, but measured numbers
        may move a little.
        """
        info = self.info
        other = [split for split in info.sizes if self.make(split).digest() != info.digests[split]]
        if not other:
            return Verification(info.name, "ok", "Drawn again, it is bit for bit the recorded one.")
        splits = " and ".join(other)
        if info.drawn_with:
            import importlib.metadata

            found = importlib.metadata.version(info.drawn_with)
            says = (
                f"Its {splits} pictures are drawn a little differently by {info.drawn_with} {found} "
                "than by the version that the digests were recorded with; they are good to use."
            )
            return Verification(info.name, "differs", says)
        import numpy

        says = (
            f"Its {splits} pictures are not the recorded ones: the code was changed, "
            f"or numpy {numpy.__version__} draws other random numbers."
        )
        return Verification(info.name, "broken", says)
