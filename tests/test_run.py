"""The script `run`: what it says where something is missing, and what it starts."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = "uv==2 \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The script as a module, working in an empty folder instead of this repository."""
    loader = importlib.machinery.SourceFileLoader("run_script", str(ROOT / "run"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_script", loader))
    loader.exec_module(module)
    module.ROOT = tmp_path
    module.ENVIRONMENT = tmp_path / ".venv"
    module.LOCK = tmp_path / "requirements.lock"
    module.LOCK.write_text(f"tqdm==1 \\\n    --hash=sha256:00\n{UV}zz==3 \\\n")
    (tmp_path / "pyproject.toml").write_text("")
    return module


def test_it_uses_the_standard_library_only():
    source = (ROOT / "run").read_text()
    names = {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert names <= set(sys.stdlib_module_names)


def test_it_may_be_executed():
    if os.name == "nt":
        pytest.skip("Windows has no executable bit")
    assert os.access(ROOT / "run", os.X_OK) and os.access(ROOT / ".ci" / "run", os.X_OK)


def test_help_names_every_verb():
    shown = subprocess.run([sys.executable, ROOT / "run", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0
    assert all(f"  {verb} " in shown.stdout for verb in ("book", "serve", "test", "lab", "generate", "clean"))


def test_an_unknown_verb_is_told_the_verbs():
    shown = subprocess.run([sys.executable, ROOT / "run", "boook"], capture_output=True, text=True)
    assert shown.returncode == 2
    assert "book" in shown.stderr and "Traceback" not in shown.stderr


def test_a_python_without_venv_is_told_the_apt_line(run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"sudo apt install python3\.\d+-venv"):
        run.set_up()


def test_an_old_python_is_told_so(run, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match="needs 3.11 or newer"):
        run.set_up()


def test_uv_is_installed_with_the_hashes_of_the_lock(run, monkeypatch):
    seen = []

    def spy(command, **options):
        seen.append(Path(command[-1]).read_text())
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(run.subprocess, "run", spy)
    run.BIN = run.ROOT / "nowhere"
    assert run.bootstrap_uv()
    assert seen == [UV]


def test_without_uv_pip_installs_the_same_lock(run, monkeypatch):
    commands = []
    monkeypatch.setattr(run, "bootstrap_uv", lambda: False)
    monkeypatch.setattr(run, "call", lambda *command, **variables: commands.append([str(c) for c in command]))
    run.install()
    assert "--require-hashes" in commands[0] and str(run.LOCK) in commands[0]
    assert "--no-deps" in commands[1] and "--editable" in commands[1]


def test_a_finished_set_up_is_not_done_again(run, monkeypatch):
    made = []
    monkeypatch.setattr(run, "starts", lambda python: True)
    monkeypatch.setattr(run, "install", lambda: made.append("installed"))
    run.ENVIRONMENT.mkdir()
    run.set_up()
    run.set_up()
    assert made == ["installed"]
    run.LOCK.write_text("other")
    run.set_up()
    assert made == ["installed", "installed"]


def test_a_set_up_killed_midway_is_done_again(run, monkeypatch):
    def killed():
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "starts", lambda python: True)
    monkeypatch.setattr(run, "install", killed)
    run.ENVIRONMENT.mkdir()
    (run.ENVIRONMENT / "course-stamp").write_text("an older one")
    with pytest.raises(KeyboardInterrupt):
        run.set_up()
    assert not (run.ENVIRONMENT / "course-stamp").exists()


def test_a_failing_step_stops_with_its_exit_code(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        run.call(sys.executable, "-c", "import sys; sys.exit(3)")
    assert stopped.value.code == 3
    assert "stopped" in capsys.readouterr().out


def test_children_get_one_thread_each(run, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert run.children({"COURSE_SCALE": "smoke"})["OMP_NUM_THREADS"] == "1"
    assert run.children({"COURSE_SCALE": "smoke"})["COURSE_SCALE"] == "smoke"


def test_clean_keeps_what_is_yours(run):
    for folder in ("_build", "exercises", ".venv"):
        (run.ROOT / folder).mkdir()
    run.clean()
    assert sorted(p.name for p in run.ROOT.iterdir() if p.is_dir()) == [".venv", "exercises"]
