"""`info` is a dictionary whose values are worked out when they are read, and nobody can tell."""

import copy
import pickle

import pytest

from squat_env.info import Info

COMPLETE = {"known": 1, "a": "A", "b": "B"}


class Counted:
    names = ("a", "b", "known")

    def __init__(self):
        self.read_names = []

    def read(self, name):
        self.read_names.append(name)
        return name.upper()


@pytest.fixture
def made():
    source = Counted()
    return Info({"known": 1}, source), source


def test_a_value_is_worked_out_once_and_only_when_it_is_read(made):
    info, source = made
    assert info["known"] == 1
    assert "b" in info
    assert "c" not in info
    assert info.names == ("known", "a", "b")
    assert source.read_names == []
    assert (info["a"], info.get("a"), info["a"]) == ("A", "A", "A")
    assert source.read_names == ["a"]


@pytest.mark.parametrize(
    "read",
    [
        dict,
        lambda info: {**info},
        lambda info: dict(info.items()),
        lambda info: {key: info[key] for key in info},
        lambda info: dict(zip(info.keys(), info.values(), strict=True)),
        lambda info: info.copy(),
        copy.copy,
        copy.deepcopy,
        lambda info: pickle.loads(pickle.dumps(info)),
        lambda info: info | {},
        lambda info: {} | info,
        lambda info: (lambda **keywords: keywords)(**info),
        lambda info: {}.update(info) or {**info},
        lambda info: eval(repr(info)),
    ],
    ids=[
        *("dict", "unpacking", "items", "iteration", "keys", "copy method", "copy", "deepcopy", "pickle", "or", "ror"),
        *("keywords", "update", "repr"),
    ],
)
def test_every_way_to_read_all_of_it_is_complete(made, read):
    found = read(made[0])
    assert type(found) is dict
    assert found == COMPLETE


def test_it_equals_and_counts_as_the_complete_one(made):
    info, _ = made
    assert len(info) == 3
    assert info == COMPLETE
    assert (info != COMPLETE) is False
    assert list(reversed(info)) == ["b", "a", "known"]


def test_it_can_be_written_to(made):
    info, source = made
    info["a"] = 5
    info["episode"] = {}
    assert info.setdefault("b", 0) == "B"
    assert info.setdefault("new", 0) == 0
    assert info.pop("known") == 1
    del info["new"]
    assert dict(info) == {"a": 5, "episode": {}, "b": "B"}
    assert source.read_names == ["b"]
    with pytest.raises(KeyError, match="known"):
        info["known"]
    info.clear()
    assert not info
    assert info.get("a", "gone") == "gone"
