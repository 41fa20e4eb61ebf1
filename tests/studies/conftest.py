"""The tiny study that most tests of this room start from."""

import pytest

from course_lib.studies import Study
from tests.studies.toys import make_study


@pytest.fixture
def study() -> Study:
    return make_study()
