"""JUnit XML, held against the rules of its schema and parsed back."""

import re
import xml.etree.ElementTree as ET

import pytest

from course_lib.grading.exports import convert
from tests.grading.exports.reports import NASTY, every_state, nasty, notebook, report, task, ungraded

# The part of junit-10.xsd that we write: attributes (needed, possible) and children of every element.
# https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/
# model/xsd/junit-10.xsd (commit 031e285).  Stricter where windyroad/JUnit-Schema's JUnit.xsd is: a test case
# has at most one outcome, times are decimals, counts are integers, names are not empty.  That one also asks
# for the host and the moment of the run, which a report does not know.
RULES = {
    "testsuites": ((), ("name", "time", "tests", "failures", "errors"), ("testsuite",)),
    "testsuite": (
        ("name", "tests", "failures", "errors", "time"),
        ("skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "group"),
        ("properties", "testcase", "system-out", "system-err"),
    ),
    "testcase": (("name", "classname", "time"), ("group",), ("skipped", "error", "failure")),
    "failure": (("type",), ("message",), ()),
    "error": (("type",), ("message",), ()),
    "system-out": ((), (), ()),
}


def parsed(text):
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        needed, possible, children = RULES[element.tag]
        assert set(needed) <= set(element.keys()) <= {*needed, *possible}
        assert {child.tag for child in element} <= set(children)
        for key, value in element.items():
            if key in ("tests", "failures", "errors", "skipped"):
                assert re.fullmatch(r"\d+", value)
            elif key == "time":
                assert re.fullmatch(r"\d+\.\d{3}", value)
            elif key in ("name", "classname", "type", "message"):
                assert value.strip()
        if element.tag == "testcase":
            assert len(element) <= 1
        if element.tag in ("testsuite", "testsuites"):
            cases = list(element.iter("testcase"))
            assert int(element.get("tests")) == len(cases)
            assert int(element.get("failures")) == sum(case.find("failure") is not None for case in cases)
            assert int(element.get("errors")) == sum(case.find("error") is not None for case in cases)
    return root


def test_points_that_were_not_reached_are_failures():
    root = parsed(convert(report(every_state()), "junit"))
    (suite,) = root
    assert suite.get("name") == "01_shade.ipynb"
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert len(cases["shade.penalty"]) == 0
    assert {cases[name].find("failure").get("type") for name in list(cases)[1:]} == {
        "values",
        "not attempted",
        "stopped",
        "unusable",
    }
    failure = cases["shade.update"].find("failure")
    assert failure.get("message") == "With 5 samples `h` is too large."
    assert "0 of 3 points" in failure.text
    assert suite.find("system-out").text == "code cell 3 failed: it raised `NameError`"
    assert root.get("failures") == "4" and root.get("errors") == "0"


def test_a_pass_with_less_than_all_points_is_a_failure():
    root = parsed(convert(report(notebook("a.ipynb", task(points=1))), "junit"))
    assert root.get("failures") == "1"


def test_what_could_not_be_graded_is_an_error():
    known = task("shade.penalty", 0, 2, "not graded", "it is not JSON", cause="file")
    root = parsed(convert(report(ungraded("a.ipynb", known), ungraded("b.ipynb")), "junit"))
    assert root.get("errors") == "2" and root.get("failures") == "0"
    for error in root.iter("error"):
        assert error.get("message") == "it is not JSON"


def test_times_add_up():
    root = parsed(convert(report(every_state("a"), every_state("b")), "junit"))
    assert float(root.get("time")) == 12
    for suite in root:
        assert sum(float(case.get("time")) for case in suite.iter("testcase")) == pytest.approx(6)


def test_notebooks_of_a_class_are_told_apart():
    files = [
        "in/ada/01.v2.ipynb",
        "in/ben/01.v2.ipynb",
        "in\\ben\\01.v2.ipynb",
        "../../in/ada/01.v2.ipynb",
        "",
    ]
    root = parsed(convert(report(*(every_state(file) for file in files)), "junit"))
    names = [suite.find("testcase").get("classname") for suite in root]
    assert names == ["in.ada.01_v2", "in.ben.01_v2", "in.ben.01_v2_2", "in.ada.01_v2_2", "notebook"]


def test_an_empty_report_is_well_formed():
    assert parsed(convert(report(), "junit")).get("tests") == "0"
    assert parsed(convert(report(notebook("a.ipynb")), "junit")).get("failures") == "0"


def test_nasty_texts_are_only_text():
    root = parsed(convert(report(nasty()), "junit"))
    failures = list(root.iter("failure"))
    assert len(failures) == len(NASTY)
    assert "<script>alert(1)</script>" in failures[0].text
    assert "]]> <![CDATA[" in failures[4].text
    assert failures[3].text.endswith("NUL  bell  escape red vertical")
    assert "x" * 100_000 in failures[6].text
    assert all(len(failure.get("message")) <= 200 for failure in failures)
