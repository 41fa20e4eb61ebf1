"""book/data.md says what course_lib.data says."""

from course_lib import data
from tools.data_page import outputs


def test_the_page_is_current():
    for path, text in outputs():
        assert path.read_text(encoding="utf-8") == text, "run ./run generate"


def test_the_page_names_every_set_file_and_checksum():
    ((_, text),) = outputs()
    for name in data.names():
        info = data.describe(name)
        assert f"`{name}`" in text and info.licence in text and info.source in text
        assert info.sha256 in text and info.packed in text
        assert all(digest in text for digest in info.digests.values())
        assert all(f"`{key}=" in text for key in info.options)
