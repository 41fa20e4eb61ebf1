"""What pyproject.toml says about the project, and the web addresses that follow from it.

The repository's address stands in pyproject.toml and nowhere else: the book's buttons, the links in the
notebooks and the notebooks' first cells are all made here.
"""

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Project:
    name: str  # of the distribution, as pip knows it
    version: str
    repository: str  # https://host/owner/repository, without a slash at the end

    @property
    def tag(self) -> str:
        """The git tag of this version; a page, its notebook and the library it installs all come from it."""
        return f"v{self.version}"

    @property
    def requirement(self) -> str:
        """What pip installs to get exactly this version of the library."""
        return f"{self.name} @ git+{self.repository}@{self.tag}"

    @cached_property
    def slug(self) -> str:
        """owner/repository."""
        return urlsplit(self.repository).path.strip("/")

    @property
    def pages(self) -> str:
        """Where GitHub Pages serves the built book."""
        owner, _, name = self.slug.partition("/")
        return f"https://{owner.lower()}.github.io/{name}"

    def file_url(self, path: str) -> str:
        """The file at ``path`` (relative to the repository), to look at."""
        return f"{self.repository}/blob/{self.tag}/{path}"

    def raw_url(self, path: str) -> str:
        """The file at ``path``, as bytes: what an ``<img>`` in a notebook can show."""
        return f"{self.repository}/raw/{self.tag}/{path}"

    def colab_url(self, path: str) -> str:
        """Open the notebook at ``path`` in Colab."""
        return f"https://colab.research.google.com/github/{self.slug}/blob/{self.tag}/{path}"


def read_project(root: Path = ROOT) -> Project:
    """The facts of ``root/pyproject.toml``."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Project(
        table["name"], table["version"], table["urls"]["Repository"].rstrip("/").removesuffix(".git")
    )
