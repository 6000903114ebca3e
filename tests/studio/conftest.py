"""A studio about small models, asked without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrows import DAE, SAE, VAE
from narrows.estimators import load
from narrows.studio.data import Colour, Data
from narrows.studio.session import Session

HERE = {"base_url": "http://127.0.0.1:8760"}
NAMES = ["height", "weight", "age", "pulse"]
TINY = {"hidden": (16,), "max_epochs": 2, "precision": "float32", "random_state": 0}


def asking(session: Session, **settings: object) -> Any:
    """A client that asks the studio about `session` without a network."""
    testing = pytest.importorskip("starlette.testclient", reason="needs the extras `studio` and `test`")
    app = pytest.importorskip("narrows.studio.app", reason="needs the extra `studio`")
    return testing.TestClient(app.create_app(session, **settings), raise_server_exceptions=False, **HERE)


@pytest.fixture(scope="session")
def client_of() -> Callable[..., Any]:
    """A client for a session of the test's own."""
    return asking


@pytest.fixture(scope="session")
def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(80, 4))
    X[7] = 9.0
    X.setflags(write=False)
    return X


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, digits: np.ndarray, table: np.ndarray) -> dict[str, Path]:
    """A folder a recipe."""
    folder = tmp_path_factory.mktemp("models")
    X = digits[:200]
    fitted = {
        "vae": VAE(4, network="mlp", **TINY).fit(X),
        "dae": DAE(network="mlp", level=0.2, **TINY).fit(X),
        "sae": SAE(24, k=4, **{**TINY, "max_epochs": 10}).fit(X),
        "table": VAE(2, **{**TINY, "max_epochs": 20}).fit(table),
    }
    for name, model in fitted.items():
        model.save(folder / name)
    return {name: folder / name for name in fitted}


@pytest.fixture
def opened(models: dict[str, Path], digits: np.ndarray, table: np.ndarray) -> Iterator[Callable[..., Any]]:
    """A studio about one of the models; "none" is one without."""
    closing = []

    def make(name: str = "vae", *, data: bool = True, **settings: object) -> Any:
        session = Session()
        if name != "none":
            shown = None
            if data and name == "table":
                group = Colour.of(["a" if row % 2 else "b" for row in range(len(table))])
                shown = Data("people", table, None, {"group": group, "spread": Colour.of(table.std(1))})
            elif data:
                shown = Data("digits", digits[:200], Colour.of(np.arange(200) % 10))
            session.open(load(models[name]), shown, name=name, path=models[name], saved=True)
        client = asking(session, **settings)
        client.__enter__()
        closing.append((client, session))
        return client

    yield make
    for client, session in closing:
        client.__exit__(None, None, None)
        session.close()


@pytest.fixture(scope="session")
def shared(models: dict[str, Path], digits: np.ndarray, table: np.ndarray) -> Iterator[Callable[[str], Any]]:
    """Studios that tests only look at, one a model."""
    made: dict[str, tuple[Any, Session]] = {}

    def get(name: str) -> Any:
        if name not in made:
            session = Session()
            if name != "none":
                X = table if name == "table" else digits[:200]
                groups = Colour.of(["a" if row % 2 else "b" for row in range(len(X))])
                columns = (
                    {"group": groups, "spread": Colour.of(X.reshape(len(X), -1).std(1))} if name == "table" else {}
                )
                labels = None if name == "table" else Colour.of(np.arange(200) % 10)
                data = Data(name, X, labels, columns)
                session.open(load(models[name]), data, name=name, path=models[name], saved=True)
            client = asking(session)
            client.__enter__()
            made[name] = client, session
        return made[name][0]

    yield get
    for client, session in made.values():
        client.__exit__(None, None, None)
        session.close()
