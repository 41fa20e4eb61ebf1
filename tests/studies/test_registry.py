"""Declaring a study: what is refused, how a configuration is changed, how studies are found."""

import json

import pytest

from course_lib import studies
from course_lib.runtime import SCALES, CourseError
from course_lib.studies import Claim
from course_lib.studies.runner import missing_data
from course_lib.studies.verdicts import quantity
from tests.studies.toys import make_study


def test_a_configuration_takes_other_data_and_other_fields(study):
    config = study.configure("cpu", "cats", labels=(7,))
    assert (config.data, config.labels, config.gain) == ("cats", (7,), 5.0)
    assert study.configure("cpu").data == "toys"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda study: study.configure("gpu"), "no scale 'gpu', possible are smoke, cpu"),
        (lambda study: study.configure("cpu", size=3), "no setting 'size', possible are data, labels, gain"),
        (lambda study: make_study(paper={("plain",): 1.0}), "does not have the coordinates"),
        (lambda study: make_study(protocol={"cpu": "x"}), "for the same scales"),
        (lambda study: Claim("c", sum), "says nothing"),
        (lambda study: Claim("c", sum, above=1, below=1), "says nothing"),
        (lambda study: studies.get("toys.table_9"), "no study 'toys.table_9', possible are"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(study, wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong(study)


def test_every_declared_study_is_whole():
    declared = studies.all_studies()
    assert len({study.id for study in declared}) == len(declared) > 0
    for study in declared:
        assert studies.get(study.id) is study
        assert study.id.split(".")[0] == study.measure.__module__.split(".")[2]
        assert set(study.configs) == set(SCALES)
        assert all(json.loads(json.dumps(cell)) == list(cell) for cell in study.paper)
        assert all(claim.text.endswith(".") for claim in study.claims)


def test_no_claim_contradicts_the_numbers_of_its_source():
    """A claim that the source's own table refutes would be ours, not the source's."""
    refuted = [
        (study.id, claim.text)
        for study in studies.all_studies()
        for claim in study.claims
        if (told := quantity(claim, study.paper)) is not None and not claim.above < told < claim.below
    ]
    assert refuted == []


def test_a_study_that_needs_data_says_what_and_where(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    needy = make_study(needs=("imagenet/val",))
    with pytest.raises(CourseError, match="put imagenet/val into .*" + tmp_path.name):
        studies.run(needy, "cpu", 1)
    (tmp_path / "imagenet" / "val").mkdir(parents=True)
    assert missing_data(needy) == []
    assert studies.run(needy, "cpu", 1).seeds == [0]


def test_the_listing_names_every_study():
    lines = studies.listing().splitlines()
    assert lines[0].split() == ["id", "source", "what", "measured"]
    assert [line.split()[0] for line in lines[2:]] == [study.id for study in studies.all_studies()]
