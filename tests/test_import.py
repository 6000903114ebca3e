"""`import narrows` is quick because it does nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import narrows

LOOK = """
import json, logging, os, random, sys, warnings
environment, loaded, state = dict(os.environ), set(sys.modules), random.getstate()
handlers, level, filters = list(logging.root.handlers), logging.root.level, list(warnings.filters)
threads = len(__import__("threading").enumerate())
import narrows
print(json.dumps({
    "heavy": sorted({"torch", "sklearn", "numpy", "scipy", "pandas", "matplotlib", "rich", "typer"} & set(sys.modules)),
    "environment": dict(os.environ) == environment,
    "random": random.getstate() == state,
    "logging": [logging.root.handlers == handlers, logging.root.level == level],
    "loggers": sorted(name for name in logging.root.manager.loggerDict if name.startswith("narrows")),
    "warnings": warnings.filters == filters,
    "threads": len(__import__("threading").enumerate()) == threads,
    "version": narrows.__version__,
    "names": sorted(set(narrows.__all__) - set(dir(narrows))),
}))
"""

GENERATORS = """
import json, random
import numpy as np
import torch
import logging
before = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()
threads, dtype, flags = torch.get_num_threads(), torch.get_default_dtype(), torch.backends.cudnn.benchmark
root = list(logging.root.handlers)
import narrows
for name in narrows.__all__:
    getattr(narrows, name)
narrows.VAE(1, hidden=(4,), max_epochs=1, verbose=2).fit(np.eye(9)).sample(noise=True)
after = random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()
assert before == after
assert (threads, dtype, flags) == (torch.get_num_threads(), torch.get_default_dtype(), torch.backends.cudnn.benchmark)
assert not torch.are_deterministic_algorithms_enabled()
assert torch.is_grad_enabled()
assert logging.root.handlers == root
print(json.dumps("as it was"))
"""


def run(code: str, silent: bool = True):
    source = str(Path(narrows.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert (done.stderr == "") == silent
    return json.loads(done.stdout)


def test_import_does_nothing():
    state = run(LOOK)
    assert state.pop("version") == narrows.__version__
    assert state == {
        "heavy": [],
        "environment": True,
        "random": True,
        "logging": [True, True],
        "loggers": [],
        "warnings": True,
        "threads": True,
        "names": [],
    }


@pytest.mark.slow
def test_using_every_public_name_touches_nothing_global():
    assert run(GENERATORS, silent=False) == "as it was"


def test_tasks_are_there_as_the_readme_writes_them():
    assert run("import json, narrows; print(json.dumps(narrows.tasks.Index.__name__))") == "Index"


def test_every_public_name_is_there():
    for name in narrows.__all__:
        assert getattr(narrows, name) is not None
        assert name in dir(narrows)
    assert narrows.VAE is narrows.estimator("vae")
    assert narrows.tasks.Index.__module__ == "narrows.tasks.search"
    with pytest.raises(AttributeError, match="no attribute 'GAN'"):
        narrows.GAN  # noqa: B018
