"""The repository's address stands in pyproject.toml only; every other address follows from it."""

import subprocess

import pytest

from tools.project import ROOT, Project, read_project

COURSE = Project("a-course", "1.2.3", "https://github.com/Some-Owner/a-repo")


def test_addresses_follow_from_the_repository():
    assert COURSE.tag == "v1.2.3"
    assert COURSE.requirement == "a-course @ git+https://github.com/Some-Owner/a-repo@v1.2.3"
    assert COURSE.pages == "https://some-owner.github.io/a-repo"
    assert COURSE.file_url("run") == "https://github.com/Some-Owner/a-repo/blob/v1.2.3/run"
    assert COURSE.raw_url("x.png") == "https://github.com/Some-Owner/a-repo/raw/v1.2.3/x.png"
    colab = "https://colab.research.google.com/github/Some-Owner/a-repo/blob/v1.2.3/notebooks/01_x.ipynb"
    assert COURSE.colab_url("notebooks/01_x.ipynb") == colab


@pytest.mark.parametrize("ending", ["", "/", ".git"])
def test_the_address_may_end_as_git_writes_it(tmp_path, ending):
    text = f'[project]\nname = "a"\nversion = "1"\nurls.Repository = "https://github.com/o/r{ending}"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert read_project(tmp_path).repository == "https://github.com/o/r"


def test_no_source_repeats_the_address():
    slug = read_project().slug
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout, so the sources cannot be told from other files.")
    generated = ("notebooks/", "exercises/", "solutions/")
    repeats = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if name.startswith(generated) or name == "pyproject.toml" or not path.is_file():
            continue
        if slug in path.read_text(encoding="utf-8", errors="ignore"):
            repeats.append(name)
    assert not repeats
