"""What is said about a set: ``SetInfo`` describes it, ``Verification`` tells whether it is here and whole."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SetInfo:
    """A set in words and numbers.

    Attributes:
        name: what ``load`` takes.
        kind: "embedded" (made by code) or "real" (read from files).
        title: one line.
        licence, source: of the data; where it comes from.
        shape: (C, H, W) with the default options.
        classes: number of classes, 0 where there are none.
        sizes: images per split, with the default options.
        options: what ``load`` takes besides the split, with the defaults.
        choices: the possible values of an option that has only a few.
        digests: ``ImageSet.digest()`` per split with the default options, where it is known.
        drawn_with: a library whose version may change an embedded set's pictures a little.
        packed: name of the packed file that ``load`` also reads, with its SHA-256; empty where there is none.
        download: megabytes that ``fetch`` downloads, roughly; 0 where nothing can be fetched.
        note: what a user should know besides.
    """

    name: str
    kind: str
    title: str
    licence: str
    source: str
    shape: tuple[int, int, int]
    classes: int
    sizes: dict[str, int]
    options: dict[str, object] = field(default_factory=dict)
    choices: dict[str, tuple] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    drawn_with: str = ""
    packed: str = ""
    sha256: str = ""
    download: int = 0
    note: str = ""

    @property
    def checksum(self) -> str:
        """What ``verify`` compares, in words."""
        if self.kind == "embedded":
            return "SHA-256 of the pictures and labels"
        ways = ["torchvision's integrity check"] if self.download else []
        ways += ["SHA-256 of the pictures and labels"] if self.digests else []
        ways += ["SHA-256 of the packed file"] if self.packed else []
        return ", ".join(ways) or "those of its parts"


@dataclass(frozen=True)
class Verification:
    """What ``verify`` found.

    Attributes:
        name: the set.
        state: "ok"; "missing" (not on this machine); "broken" (there, but damaged); "differs" (usable, but
            not bit for bit what the course's own numbers were measured on).
        says: one sentence, with what to do where something is wrong.
    """

    name: str
    state: str
    says: str
