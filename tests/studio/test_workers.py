"""The process that waits for a training: used once, replaced, and ended."""

import subprocess
import sys
import time

import pytest

from narrows.studio import workers
from narrows.studio.workers import Workers

ECHO = "import sys; print('got ' + sys.stdin.readline().strip(), flush=True); sys.stdin.readline()"


@pytest.fixture
def started(monkeypatch):
    """The processes that were started: they repeat the folder, and end when stdin closes."""
    processes = []

    def start():
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        processes.append(subprocess.Popen([sys.executable, "-c", ECHO], text=True, **pipes))
        return processes[-1]

    monkeypatch.setattr(workers, "_start_process", start)
    yield processes
    for process in processes:
        workers._end(process)


def wait_for(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError


@pytest.fixture
def warm():
    new = Workers()
    new.is_warm = True
    yield new
    new.close()


def test_the_waiting_process_trains_and_the_next_one_is_another(warm, started, tmp_path):
    warm.expect_training(0.0)
    wait_for(lambda: warm._waiting is not None)
    warm.expect_training(0.0)  # there is one already
    time.sleep(0.1)
    process, was_ready = warm.take(tmp_path / "a b")
    assert (process, was_ready) == (started[0], True)
    assert process.stdout.readline() == f"got {tmp_path / 'a b'}\n"
    process, was_ready = warm.take(tmp_path / "c")
    assert (process, was_ready) == (started[1], False)
    assert process.stdout.readline() == f"got {tmp_path / 'c'}\n"
    assert len(started) == 2


def test_a_waiting_process_that_has_ended_is_replaced(warm, started, tmp_path):
    warm.expect_training(0.0)
    wait_for(lambda: warm._waiting is not None)
    started[0].kill()
    started[0].wait()
    process, was_ready = warm.take(tmp_path)
    assert (process, was_ready) == (started[1], False)
    assert process.stdout.readline() == f"got {tmp_path}\n"


def test_no_process_waits_unless_asked_for(started, tmp_path):
    cold = Workers()
    cold.expect_training(0.0)
    time.sleep(0.1)
    assert started == []
    process, was_ready = cold.take(tmp_path)
    assert not was_ready
    assert process.stdout.readline() == f"got {tmp_path}\n"


def test_a_process_that_waits_long_or_until_the_end_is_ended(warm, started, monkeypatch):
    monkeypatch.setattr(workers, "_IDLE", 0.05)
    warm.expect_training(0.0)
    wait_for(lambda: started and started[0].poll() is not None)
    assert warm._waiting is None
    monkeypatch.setattr(workers, "_IDLE", 900.0)
    warm.expect_training(0.0)
    wait_for(lambda: warm._waiting is not None)
    warm.close()
    assert started[1].poll() is not None
    warm.expect_training(0.0)
    time.sleep(0.1)
    assert len(started) == 2
