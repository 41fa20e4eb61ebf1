"""Products are made once, made again when their key changes, and never read broken."""

import multiprocessing
import os
import warnings

import pytest
import torch

from course_lib.files import cache_folder
from course_lib.studies import make_once, products

MADE = []


def make(seed=0, sizes=()):
    """A stand-in for a trained net."""
    MADE.append((seed, sizes))
    return {"weight": torch.full((2, 3), float(seed)), "history": [1, 0.5], "name": "net", "sizes": sizes}


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    MADE.clear()


def stored():
    return sorted((cache_folder() / "products").iterdir())


def test_it_is_made_once_and_comes_back_the_same():
    first, again = (
        make_once("a.net", make, seed=3, sizes=(1, 2)),
        make_once("a.net", make, seed=3, sizes=(1, 2)),
    )
    assert MADE == [(3, (1, 2))] and len(stored()) == 1
    assert torch.equal(first["weight"], again["weight"]) and first["weight"].device.type == "cpu"
    assert (again["history"], again["name"], again["sizes"]) == ([1, 0.5], "net", (1, 2))


def test_another_argument_name_or_scale_is_another_product(monkeypatch):
    make_once("a.net", make, seed=1)
    make_once("a.net", make, seed=2)
    make_once("b.net", make, seed=1)
    monkeypatch.setenv("COURSE_SCALE", "smoke")
    make_once("a.net", make, seed=1)
    assert len(MADE) == len(stored()) == 4
    make_once("a.net", make, seed=1)
    assert len(MADE) == 4


def test_other_code_or_another_torch_takes_its_place(monkeypatch):
    make_once("a.net", make)
    monkeypatch.setattr(products, "code_digest", lambda function, **named: "other")
    make_once("a.net", make)
    monkeypatch.setattr(torch, "__version__", "2.99")
    make_once("a.net", make)
    make_once("a.net", make)
    assert len(MADE) == 3 and len(stored()) == 1


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-5], lambda b: b[:200] + b"x" + b[201:]])
def test_a_broken_file_is_made_again(damage):
    make_once("a.net", make, seed=5)
    (path,) = stored()
    path.write_bytes(damage(path.read_bytes()))
    assert make_once("a.net", make, seed=5)["weight"][0, 0] == 5
    make_once("a.net", make, seed=5)
    assert len(MADE) == 2


def test_nothing_is_a_product_too():
    assert make_once("a.nothing", lambda: MADE.append(0)) is None
    assert make_once("a.nothing", lambda: MADE.append(0)) is None


def test_a_cache_that_cannot_be_written_warns_once_and_still_makes(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.warns(UserWarning, match="made anew each time"):
        assert make_once("a.net", make, seed=4)["weight"][0, 0] == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_once("a.net", make, seed=4)
    assert len(MADE) == 2


def test_a_net_is_refused_with_advice():
    with pytest.raises(TypeError, match=r"state_dict\(\)"):
        make_once("a.net", lambda: torch.nn.Linear(2, 2))
    assert not (cache_folder() / "products").exists()


@pytest.mark.parametrize("name", ["", "a/b", "../up", "a b"])
def test_a_name_is_a_file_name(name):
    with pytest.raises(ValueError, match="product's name"):
        make_once(name, make)


@pytest.mark.parametrize("value", [torch.ones(2), [1, 2], {"a": 1}, (1, [2])])
def test_an_argument_must_be_plain(value):
    with pytest.raises(ValueError, match="seed is"):
        make_once("a.net", make, seed=value)


def large(seed):
    return {"weight": torch.full((500, 500), 7.0)}


def _make_often(times):
    ok = all(bool((make_once("a.large", large, seed=i % 2)["weight"] == 7).all()) for i in range(times))
    os._exit(0 if ok else 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts processes by fork")
def test_two_processes_at_once_never_read_half_a_file(monkeypatch):
    monkeypatch.setattr(
        products, "code_digest", lambda function, **named: str(os.urandom(1)[0] % 2)
    )  # half of the reads miss
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=_make_often, args=(25,)) for _ in range(2)]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0]
    assert len(stored()) == 2
