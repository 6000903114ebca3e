"""The package in examples/ as its user has it: installed, found by its name, trained, saved, loaded, shown."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "narrows-torus"
SCRIPT = """
import json, sys
import numpy as np
import narrows
from narrows.studio.session import Session
from narrows.studio.data import Data

rng = np.random.default_rng(0)
angle = rng.uniform(0, 2 * np.pi, 600)
shifts = angle[:, None] + np.arange(3)
X = np.c_[np.cos(shifts), np.sin(2 * angle), np.cos(2 * angle)] + 0.02 * rng.normal(size=(600, 5))
settings = {"hidden": (64, 64), "batch_size": 50, "max_epochs": 150, "random_state": 0, "device": "cpu"}
model = narrows.estimator("torusae")(2, **settings).fit(X)
model.save(sys.argv[1])
loaded = narrows.load(sys.argv[1], device="cpu")
codes = loaded.transform(X)
halfway = loaded.interpolate(X[0], X[1], n_steps=3)[1]
told = {
    "same": bool((codes == model.transform(X)).all()),
    "radius": float(np.abs(np.hypot(*codes.T) - 1).max()),
    "error": float(np.square(loaded.reconstruct(X) - X).mean()),
    "pca": narrows.evaluate(loaded, X, measures=["mse"], verbose=0).rows["mse"].pca,
    "likelihood": loaded.model_.likelihood.name,
    "halfway": float(np.hypot(*loaded.transform(halfway[None])[0])),
}
try:
    from starlette.testclient import TestClient
    from narrows.studio.app import create_app
except ImportError:
    told["studio"] = None
else:
    session = Session()
    session.open(loaded, Data("angles", X), name="torus", path=None, is_saved=True)
    with TestClient(create_app(session), base_url="http://127.0.0.1:8760") as client:
        told["studio"] = len(client.get("/api/dials").json()["dials"])
        shown = client.post("/api/decode", json={"codes": [[0.0, 1.0]], "format": "json"}).json()["examples"]
        told["shown"] = shown[0]["values"]
        told["decoded"] = loaded.inverse_transform([[0.0, 1.0]])[0].tolist()
    session.close()
print(json.dumps(told))
"""


@pytest.fixture
def environment(tmp_path):
    """Variables of a process in which the package is installed: its module, and what pip writes about it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    about = tmp_path / f"narrows_torus-{project['version']}.dist-info"
    about.mkdir()
    shutil.copy(EXAMPLE / "narrows_torus.py", tmp_path)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n{name} = {place}\n" for group, of in project["entry-points"].items() for name, place in of.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(lines))
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run(environment, *arguments):
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_used_like_any_recipe(environment, tmp_path):
    told = json.loads(run(environment, "-c", SCRIPT, str(tmp_path / "model")).splitlines()[-1])
    assert told["same"]
    assert told["radius"] < 1e-5
    assert told["error"] < 0.2 * told["pca"]  # a circle has one dimension, and PCA takes two
    assert told["likelihood"] == "laplace"
    assert told["halfway"] == pytest.approx(1, abs=1e-5)
    if told["studio"] is None:
        pytest.skip("the studio needs the extra `studio`")
    assert told["studio"] == 2
    assert told["shown"] == pytest.approx(told["decoded"], abs=1e-4)


@pytest.mark.slow
def test_the_command_knows_it(environment, tmp_path):
    listed = json.loads(run(environment, "-m", "narrows", "recipes", "--json"))
    assert {"name": "torusae", "purpose": "geometry"}.items() <= {e["name"]: e for e in listed}["torusae"].items()
    out = tmp_path / "digits-model"
    options = ("--recipe", "torusae", "--n-components", "4", "--max-epochs", "2", "-o", str(out))
    run(environment, "-m", "narrows", "fit", "digits", *options)
    assert json.loads((out / "recipe.json").read_text())["recipe"] == "torusae"
