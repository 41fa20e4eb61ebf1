"""``load`` and its kin: names, splits and options that do not exist get one clear sentence."""

import pytest

from course_lib import data
from course_lib.runtime import CourseError
from tests.data.small_files import one_sentence


def test_names_by_kind():
    embedded, real = data.names("embedded"), data.names("real")
    assert embedded == ["digits_m", "glyphs", "objects", "scenes", "sprites"]
    assert sorted(embedded + real) == sorted(data.names())
    wanted = (
        "mnist fashion_mnist kmnist usps cifar10 cifar100 svhn stl10 omniglot gtsrb dtd celeba voc mnist_m"
    )
    assert set(wanted.split()) <= set(real)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("cifar1O", "cifar10"), ("digitsm", "digits_m"), ("MNISTM", "mnist_m"), (7, "possible are")],
)
def test_a_wrong_name_gets_the_nearest_ones(wrong, right):
    for function in (data.load, data.describe, data.fetch, data.verify, data.available):
        with pytest.raises(ValueError) as problem:
            function(wrong)
        assert right in one_sentence(problem) and repr(wrong) in str(problem.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (dict(name="sprites", split="valid"), "split is 'valid', possible for sprites are train, test"),
        (dict(name="stl10", split="extra"), "train, test, unlabelled"),
        (dict(name="sprites", colour=1), "sprites has no option 'colour', possible are: n, size, grid, seed"),
        (dict(name="mnist", size=32), "mnist has no option 'size', possible are: none"),
        (dict(name="mnist_m", size=64), "size is 64, possible for mnist_m are 28, 32"),
        (dict(name="mnist_m", backgrounds="dtd"), "'photos', 'textures'"),
        (dict(name="pacs64", domain="drawing"), "'art_painting', 'cartoon', 'photo', 'sketch'"),
        (dict(name="sprites", n=0), "n is 0, possible are whole numbers from 1"),
        (dict(name="sprites", n=2.5), "n is 2.5"),
        (dict(name="gtsrb", size=True), "size is True"),
        (dict(name="gtsrb", size=None), "size is None"),
    ],
)
def test_a_wrong_split_or_option_is_named(call, words):
    with pytest.raises(ValueError) as problem:
        data.load(**call)
    assert words in one_sentence(problem)


def test_a_wrong_kind_is_named():
    with pytest.raises(ValueError, match="kind is 'drawn', possible are embedded, real"):
        data.names("drawn")


def test_descriptions_are_complete():
    for name in data.names():
        info = data.describe(name)
        assert info.name == name and info.kind in ("embedded", "real") and info.checksum
        assert info.title and info.licence and info.source and not info.title.endswith(".")
        assert info.sizes and all(n > 0 for n in info.sizes.values())
        assert set(info.choices) <= set(info.options) and set(info.digests) <= set(info.sizes)
        assert bool(info.packed) == bool(info.sha256) and len(info.sha256) in (0, 64)
        if info.kind == "embedded":
            assert set(info.digests) == set(info.sizes)
        else:
            assert info.packed or info.download or name == "mnist_m"


def test_options_have_the_defaults_that_are_described():
    import inspect

    for name in data.names("embedded"):
        parameters = list(inspect.signature(data.registry._SETS[name].make).parameters.values())[1:]
        assert {p.name: p.default for p in parameters} == data.describe(name).options


def test_a_set_that_is_not_here_says_what_to_do(folder, monkeypatch):
    import socket

    def no_network(*arguments, **options):
        raise AssertionError("load must not use the network")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    for name in data.names("real"):
        assert not data.available(name) and data.verify(name).state == "missing"
        one_sentence(data.verify(name).says)
        with pytest.raises(CourseError) as problem:
            data.load(name, next(iter(data.describe(name).sizes)))
        text = one_sentence(problem)
        assert str(folder) in text and "COURSE_DATA" in text
        assert f"course data fetch {name}" in text or name == "mnist_m" or data.describe(name).packed in text
    assert list(folder.iterdir()) == []


def test_the_default_folder_is_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    with pytest.raises(CourseError, match=str(tmp_path / "data")):
        data.load("mnist")
    assert list(tmp_path.iterdir()) == []


def test_embedded_sets_have_nothing_to_fetch():
    with pytest.raises(ValueError, match="made by code"):
        data.fetch("glyphs")


def test_listing_has_a_line_per_set(folder):
    lines = data.listing().splitlines()
    assert [line.split()[0] for line in lines[1:]] == data.names()
    here = {line.split()[0]: line for line in lines}
    assert " yes " in here["sprites"] and " fetch " in here["mnist"] and " no " in here["pacs64"]
