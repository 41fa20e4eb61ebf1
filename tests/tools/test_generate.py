"""Generated files are what their sources give, and a difference is found and named."""

import nbformat
import pytest

from tools.generate import differences, outputs, write
from tools.notebook_common import finish


def notebook(source):
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(source)]
    return finish(made, "01_x")


@pytest.mark.slow
def test_every_generated_file_is_current():
    assert differences(outputs()) == []


def test_a_difference_is_named(tmp_path, capsys):
    path = tmp_path / "notebooks" / "01_x.ipynb"
    made = [(path, notebook("x = 1"))]
    assert differences(made, tmp_path) == ["notebooks/01_x.ipynb is missing."]
    write(made, tmp_path)
    assert capsys.readouterr().out == "wrote notebooks/01_x.ipynb\n"
    assert differences(made, tmp_path) == []
    path.write_text(path.read_text().replace("x = 1", "x = 2"))
    assert differences(made, tmp_path) == ["notebooks/01_x.ipynb is not what its source gives."]
    assert differences([], tmp_path) == ["notebooks/01_x.ipynb has no source."]


def test_writing_twice_writes_once(tmp_path, capsys):
    made = [(tmp_path / "book" / "page.md", "# Page\n")]
    write(made, tmp_path)
    write(made, tmp_path)
    assert capsys.readouterr().out == "wrote book/page.md\n"


def test_an_edited_notebook_is_kept_and_said_so(tmp_path, capsys):
    path = tmp_path / "exercises" / "01_x.ipynb"
    write([(path, notebook("x = 1"))], tmp_path)
    path.write_text(path.read_text().replace("x = 1", "x = 'mine'"))
    write([(path, notebook("x = 3"))], tmp_path)
    assert "x = 'mine'" in path.read_text()
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "wrote exercises/01_x.new.ipynb (01_x.ipynb was edited by hand and stays as it is)"
