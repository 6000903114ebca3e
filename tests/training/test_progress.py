"""Progress: when it appears, where, one bar for all, and what a stopped cell of a notebook keeps."""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from interrupting import interrupt_at
from rich.console import Console
from sklearn.model_selection import cross_val_score

import narrows
from narrows import AE
from narrows.tasks import OutlierDetector
from narrows.training import Interrupted, interrupt, progress, progress_displays, session
from narrows.training.progress import Reporter

TINY = {"hidden": (8,), "max_epochs": 2, "batch_size": 16, "random_state": 0, "device": "cpu"}


class Clock:
    """Time that passes by a second with each look at it, so that all work is long."""

    def __init__(self, step: float = 1.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def watched(monkeypatch):
    """As outside pytest, with work that takes long."""
    monkeypatch.setattr(session, "_TESTING", set())
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=Clock()))
    monkeypatch.setattr(progress, "_series", {})


class Shell:
    """IPython's shell in a notebook, as far as it is used."""

    def __init__(self):
        self.kernel, self.execution_count, self.callbacks = object(), 1, []
        self.events = SimpleNamespace(
            register=lambda _, callback: self.callbacks.append(callback),
            unregister=lambda _, callback: self.callbacks.remove(callback),
        )

    def end_cell(self):
        """End the cell, and return the error that the kernel then sees."""
        result = SimpleNamespace(error_in_exec=None)
        for callback in list(self.callbacks):
            callback(result)
        self.execution_count += 1
        return result.error_in_exec


@pytest.fixture
def notebook(monkeypatch):
    """A notebook; `outputs` has the bundles of each of its displays, the latest last."""
    shell, outputs = Shell(), []

    def display(bundle, raw, display_id):
        assert raw
        assert display_id
        shown = [bundle]
        outputs.append(shown)
        return SimpleNamespace(update=lambda bundle, raw: shown.append(bundle))

    IPython = pytest.importorskip("IPython", reason="needs IPython")
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(interrupt, "_stopped_cell", None)
    shell.outputs = outputs
    return shell


def work(reporter: Reporter, n: int = 5) -> None:
    with reporter:
        for i in range(n):
            reporter.update(i / n, {"loss": 1.5 / (i + 1), "nll": 1.0})


def test_nothing_is_shown_under_pytest_and_in_threads(watched, monkeypatch, capsys):
    X = np.random.default_rng(0).normal(size=(60, 4))
    with monkeypatch.context() as patched:
        patched.setattr(session, "_TESTING", {"PYTEST_CURRENT_TEST"})
        AE(2, **TINY).fit(X)
    joblib.Parallel(2, backend="threading")(joblib.delayed(AE(2, **TINY).fit)(X) for _ in range(2))
    assert session.is_watched()
    AE(2, **TINY, verbose=0).fit(X)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_worker_processes_are_not_watched(watched):
    answers = joblib.Parallel(2, backend="loky")(joblib.delayed(session.is_watched)() for _ in range(2))
    assert answers == [False, False]
    assert session.is_watched()


def test_lines_where_there_is_no_terminal_come_ever_rarer(watched, monkeypatch, capsys):
    clock = Clock(0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock))
    times = []
    with Reporter("auto", "AE") as reporter:
        reporter.update(0.0, {"loss": 9.0, "nll": 9.0})
        for second in range(1, 100):
            clock.now = float(second)
            reporter.tick(lambda: clock.now / 100)
            if capsys.readouterr().err:
                times.append(second)
        clock.now = 100.0
        reporter._series.due = 0.0
        reporter.update(0.8, {"loss": 1.234567})
        assert capsys.readouterr().err == "AE: 80%, loss 1.235, 25 s left\n"
        clock.now = 200.0
    assert times == [10, 20, 40, 80]
    assert capsys.readouterr().err == "AE: done in 3 min 20 s, loss 1.235\n"
    work(Reporter("auto", "short"))
    assert capsys.readouterr() == ("", "")


def test_short_work_shows_nothing(watched, monkeypatch, notebook):
    clock = Clock(0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock))
    with Reporter("auto", "AE") as reporter:
        for clock.now in (0.5, 1.9):
            reporter.update(0.5)
        assert notebook.outputs == []
        clock.now = 2.0
        reporter.update(0.6)
        assert len(notebook.outputs) == 1


def test_a_terminal_has_one_bar_at_a_time_which_is_erased(watched, monkeypatch):
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100, force_jupyter=False)
    monkeypatch.setattr(progress, "Console", lambda **_: terminal)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=Clock(0.1)))  # less than the pause between two fits
    X = np.random.default_rng(0).normal(size=(60, 4))
    cross_val_score(AE(2, **TINY), X, cv=3)
    assert "AE no. 3" in screen.getvalue()
    assert screen.getvalue().rstrip().endswith("\x1b[2K")  # the line is erased
    screen.truncate(0)
    AE(2, **TINY, verbose=1).fit(X)
    assert "device = cpu" in screen.getvalue()
    bar, _, after = screen.getvalue().rpartition("100%")
    assert bar
    assert "\x1b[2K" not in after  # this one is kept


def test_a_cell_has_one_bar_for_all_its_fits(watched, notebook, vectors):
    cross_val_score(AE(2, **TINY), vectors, cv=4)
    titles = [shown[-1]["text/plain"].partition(":")[0] for shown in notebook.outputs]
    assert [title for title in titles if "score" not in title] == ["AE no. 4"]
    fits = next(shown for shown in notebook.outputs if shown[-1]["text/plain"].startswith("AE no. 4"))
    assert any('<progress value="0.' in bundle["text/html"] for bundle in fits)
    assert "done in" in fits[-1]["text/html"]
    assert "<progress" not in fits[-1]["text/html"]
    notebook.end_cell()
    AE(2, **TINY).fit(vectors)
    assert notebook.outputs[-1][-1]["text/plain"].startswith("AE: done in")


def test_a_title_is_escaped_in_a_notebook(watched, notebook):
    work(Reporter("auto", "<b>fit</b>"))
    for bundle in notebook.outputs[0]:
        assert "<b>" not in bundle["text/html"]


def test_work_within_work_moves_the_outer_bar(watched, notebook):
    with Reporter("auto", "sweep") as outer:
        outer.update(0.25)
        work(Reporter("auto", "inside"))
        assert outer.progress == 0.25  # it is nobody's part
        outer.begin_part(0.5, 1.0)
        with Reporter("auto", "fit") as inner, Reporter("auto", "deep") as deep:
            inner.begin_part(0.0, 0.5)
            deep.update(0.5, {"loss": 2.0})
        assert outer.progress == 0.625
    assert len(notebook.outputs) == 1
    assert notebook.outputs[0][-1]["text/plain"].startswith("sweep: done in")
    with Reporter(0) as outer:
        work(Reporter("auto", "inside"))
        work(Reporter(1, "inside"))
    assert len(notebook.outputs) == 1


def test_detector_and_sweep_have_one_bar(watched, notebook, vectors):
    OutlierDetector(max_iter=5, random_state=0).fit(vectors)
    assert [shown[-1]["text/plain"].split(":")[0] for shown in notebook.outputs] == ["OutlierDetector"]
    narrows.sweep(AE(**TINY), vectors, sizes=(1, 2))
    assert [shown[-1]["text/plain"].split(":")[0] for shown in notebook.outputs][1:] == ["sweep"]
    shares = [b["text/plain"] for b in notebook.outputs[1]]
    assert any("50%" in share for share in shares)
    OutlierDetector(max_iter=5, random_state=0, verbose=0).fit(vectors)
    assert len(notebook.outputs) == 2


def test_notes_in_a_notebook_are_no_errors(watched, notebook, capsys, vectors):
    AE(2, **TINY, verbose=1).fit(vectors)
    out, err = capsys.readouterr()
    assert "device = cpu" in out
    assert err == ""


def test_a_pulse_shows_a_long_first_step_and_that_it_is_stopping(watched, monkeypatch, notebook):
    stop = threading.Event()
    monkeypatch.setattr(progress, "_PULSE", 0.001)
    with Reporter("auto", "AE", has_pulse=True, stop=stop):
        wait_for(lambda: "AE: 0%, preparing" in str(notebook.outputs))
        stop.set()
        wait_for(lambda: "AE: 0%, stopping after this step" in str(notebook.outputs))
    assert "AE: done in" in str(notebook.outputs[0][-1])
    wait_for(lambda: "narrows-progress" not in [thread.name for thread in threading.enumerate()])


def wait_for(is_so) -> None:
    for _ in range(1000):
        if is_so():
            return
        threading.Event().wait(0.01)
    pytest.fail("it took more than 10 seconds")


def test_durations():
    assert [progress_displays.format_seconds(s) for s in (3, 61, 3600)] == ["3 s", "1 min 1 s", "1 h 0 min"]


# ------------------------------------------------------------------------------------------------------- Ctrl-C


def test_a_stopped_cell_keeps_its_model_and_trains_no_other(monkeypatch, notebook, vectors):
    with monkeypatch.context() as patched:
        interrupt_at(patched, 5)
        with pytest.warns(UserWarning, match="Training stopped at step 6; the best weights so far are kept") as caught:
            model = AE(2, **TINY).fit(vectors)
    assert caught[0].filename == __file__  # the user's line, not one of narrows
    assert model.transform(vectors).shape == (200, 2)
    with pytest.raises(interrupt.Stopped, match="A training in this cell was stopped before") as stopped:
        AE(2, **TINY).fit(vectors)
    assert stopped.value._render_traceback_() == [f"Stopped: {stopped.value}"]
    assert isinstance(notebook.end_cell(), Interrupted)  # the kernel drops the cells that wait
    assert notebook.callbacks == []
    AE(2, **TINY).fit(vectors)  # in the next cell
    assert notebook.end_cell() is None


def test_work_of_narrows_is_stopped_as_a_whole(monkeypatch, notebook, vectors):
    """A half-trained model must not count as the model of a size."""
    with monkeypatch.context() as patched:
        interrupt_at(patched, 5)
        with pytest.raises(interrupt.Stopped, match="0 of 2 sizes done"):
            narrows.sweep(AE(**TINY), vectors, sizes=(1, 2))
    AE(2, **TINY).fit(vectors)  # nothing was kept in this cell


def test_through_scikit_learn_a_stopped_cell_keeps_its_model(monkeypatch, notebook, vectors):
    with monkeypatch.context() as patched:
        interrupt_at(patched, 5)
        with pytest.warns(UserWarning, match="Training stopped"):
            assert AE(2, **TINY).fit_transform(vectors).shape == (200, 2)
