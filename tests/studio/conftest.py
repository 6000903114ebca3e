"""Studios with small models, and clients that send requests without a network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrows import AE, DAE, SAE, VAE, TableAE
from narrows.estimators import load
from narrows.studio.data import Colour, Data, other_columns
from narrows.studio.session import Session

ADDRESS = {"base_url": "http://127.0.0.1:8760"}
TINY = {"hidden": (16,), "max_epochs": 2, "precision": "float32", "random_state": 0}


def make_client(session: Session, **settings: object) -> Any:
    """Return a client of a studio that shows `session`."""
    testing = pytest.importorskip("starlette.testclient", reason="needs the extras `studio` and `test`")
    app = pytest.importorskip("narrows.studio.app", reason="needs the extra `studio`")
    return testing.TestClient(app.create_app(session, **settings), raise_server_exceptions=False, **ADDRESS)


@pytest.fixture(scope="session")
def client_of() -> Callable[..., Any]:
    """Function that returns a client for a session."""
    return make_client


@pytest.fixture(scope="session")
def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(80, 4))
    X[7] = 9.0
    X.setflags(write=False)
    return X


@pytest.fixture(scope="session")
def people() -> Any:
    """Rows of words, dates, numbers and gaps, with an identifier. Skips the test without pandas."""
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
    rng = np.random.default_rng(1)
    n = 120
    is_clerk = rng.random(n) < 0.5
    income = np.where(is_clerk, 30_000, 80_000) + 5_000 * rng.normal(size=n)
    income[3] = np.nan
    job = np.where(is_clerk, "clerk", "pilot").astype(object)
    job[5] = None
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, n).astype("timedelta64[D]")
    return pandas.DataFrame(
        {
            "user": [f"u{i}" for i in range(n)],
            "age": np.rint(40 + 10 * rng.normal(size=n) - 8 * is_clerk).astype(int),
            "income": income,
            "job": job,
            "town": rng.choice(["Bern", "Oslo", "Rome"], n),
            "joined": days.astype("datetime64[ns]"),
            "kind": "person",
        }
    )


@pytest.fixture(scope="session")
def people_models(tmp_path_factory: pytest.TempPathFactory, people: Any) -> dict[str, Path]:
    """Folder of a saved model of `people` for each name."""
    folder = tmp_path_factory.mktemp("people")
    long = {**TINY, "max_epochs": 60}
    VAE(2, **long).fit(people).save(folder / "people")
    SAE(12, k=3, **long).fit(people).save(folder / "people-sae")
    TableAE(16, max_epochs=3, random_state=0, precision="float32").fit(people).save(folder / "people-tableae")
    return {name: folder / name for name in ("people", "people-sae", "people-tableae")}


@pytest.fixture
def people_client(
    people: Any, people_models: dict[str, Path], open_people: Callable[..., None]
) -> Iterator[Callable[..., Any]]:
    """Function that returns a client of a new studio with a model of `people` and its rows."""
    with contextlib.ExitStack() as stack:

        def make(name: str = "people") -> Any:
            session = Session()
            stack.callback(session.close)
            open_people(session, people, people_models[name])
            return stack.enter_context(make_client(session))

        yield make


@pytest.fixture(scope="session")
def open_people() -> Callable[..., None]:
    """Function that shows a saved model of `people` with its rows in a session."""

    def show(session: Session, people: Any, path: Path) -> None:
        model = load(path)
        others = other_columns(people, model.schema_.columns or ())
        session.open(model, Data("people", people, None, others), name=path.name, path=path, is_saved=True)

    return show


@pytest.fixture(scope="session")
def others(table: np.ndarray) -> dict[str, np.ndarray]:
    """Examples of other forms, by the name of their model: few columns, counts, 0 and 1, and series."""
    rng = np.random.default_rng(2)
    rates = np.exp(rng.normal(size=(80, 2)) @ rng.normal(size=(2, 40)) - 1)
    time, phase = np.linspace(0, 6, 20), rng.uniform(0, 6, (60, 1))
    waves = [scale * np.sin(time + phase + scale) for scale in (1, 2, 4, 8, 16, 32, 64)]
    return {
        "line": table[:, :3],
        "counts": rng.poisson(rates).astype(float),
        "flags": (rng.random((80, 12)) < np.linspace(0.1, 0.9, 12)).astype(float),
        "series": np.stack([*waves, 101_325 + 800 * np.cos(time + phase)], axis=-1),
    }


@pytest.fixture(scope="session")
def models(
    tmp_path_factory: pytest.TempPathFactory, digits: np.ndarray, table: np.ndarray, others: dict[str, np.ndarray]
) -> dict[str, Path]:
    """Folder of a saved model for each name."""
    folder = tmp_path_factory.mktemp("models")
    X = digits[:200]
    fitted = {
        "vae": VAE(4, network="mlp", **TINY).fit(X),
        "dae": DAE(network="mlp", level=0.2, **TINY).fit(X),
        "sae": SAE(24, k=4, **{**TINY, "max_epochs": 10}).fit(X),
        "table": VAE(2, **{**TINY, "max_epochs": 20}).fit(table),
        "line": VAE(1, **TINY).fit(others["line"]),
        "counts": SAE(12, k=3, **TINY).fit(others["counts"]),
        "flags": VAE(2, **TINY).fit(others["flags"]),
        "series": AE(3, network="mlp", **TINY).fit(others["series"]),
    }
    for name, model in fitted.items():
        model.save(folder / name)
    return {name: folder / name for name in fitted}


@pytest.fixture(scope="session")
def new_session(
    models: dict[str, Path], digits: np.ndarray, table: np.ndarray, others: dict[str, np.ndarray]
) -> Callable[..., Session]:
    """Function that returns a new session with a model and its data, or an empty one for "none"."""

    def make(name: str, *, data: bool = True) -> Session:
        session, examples = Session(), None
        if name == "none":
            return session
        if data and name == "table":
            group = Colour.from_column(["a" if row % 2 else "b" for row in range(len(table))])
            examples = Data("people", table, None, {"group": group, "spread": Colour.from_column(table.std(1))})
        elif data and name in others:
            examples = Data(name, others[name])
        elif data:
            examples = Data("digits", digits[:200], Colour.from_column(np.arange(200) % 10))
        session.open(load(models[name]), examples, name=name, path=models[name], is_saved=True)
        return session

    return make


@pytest.fixture
def opened(new_session: Callable[..., Session]) -> Iterator[Callable[..., Any]]:
    """Function that returns a client of a new studio with one of the models, or with none for "none"."""
    with contextlib.ExitStack() as stack:

        def make(name: str = "vae", *, data: bool = True, **settings: object) -> Any:
            session = new_session(name, data=data)
            stack.callback(session.close)
            return stack.enter_context(make_client(session, **settings))

        yield make


@pytest.fixture(scope="session")
def shared(new_session: Callable[..., Session]) -> Iterator[Callable[[str], Any]]:
    """Function that returns a client of a studio that tests share and do not change, one for each model."""
    clients: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:

        def get(name: str) -> Any:
            if name not in clients:
                session = new_session(name)
                stack.callback(session.close)
                clients[name] = stack.enter_context(make_client(session))
            return clients[name]

        yield get
