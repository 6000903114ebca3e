"""Labels from few: closed forms of label spreading, classifiers better than chance, and bad input."""

import pickle

import numpy as np
import pytest
import torch
from interrupting import interrupt_at
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.semi_supervised import LabelSpreading
from sklearn.utils.estimator_checks import parametrize_with_checks

from narrows import AE, DAE, VAE
from narrows.bottlenecks import UNKNOWN, LabelHead, RegressionHead
from narrows.tasks import Classifier, Regressor
from narrows.tasks.labels.graph import NeighborGraph

X, Y = load_iris(return_X_y=True)
FEW = np.full(len(Y), -1)
FEW[::10] = Y[::10]
QUICK = {"hidden": (16,), "max_epochs": 30, "random_state": 0}


@pytest.fixture(scope="module")
def encoder():
    return VAE(2, **QUICK).fit(X)


def _expected_to_fail(estimator):
    narrow = "two numbers for ten columns say too little of the target"
    whole = "whole numbers of few values are counts in a frame, and real numbers in an array"
    known = {"check_regressors_train": narrow, "check_regressor_data_not_an_array": whole}
    return known if isinstance(estimator, Regressor) else {}


@parametrize_with_checks(
    [
        Classifier(AE(2, hidden=(), max_epochs=30, random_state=0)),
        Regressor(AE(2, hidden=(), max_epochs=30, random_state=0)),
    ],
    expected_failed_checks=_expected_to_fail,
)
@pytest.mark.slow
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def test_spreading_follows_the_formula():
    points = torch.from_numpy(X - X.mean(0))
    graph = NeighborGraph.build(points, 5)
    start = np.eye(3)[Y] * (FEW >= 0)[:, None]
    exact = 0.1 * np.linalg.solve(np.eye(len(X)) - 0.9 * graph.adjacency.toarray(), start)
    np.testing.assert_allclose(graph.spread(start, 0.9), exact, atol=0.9**60)
    # the largest eigenvalue is 1, so values stay bounded
    assert np.linalg.eigvalsh(graph.adjacency.toarray()).max() == pytest.approx(1)


def test_spreading_is_as_good_as_scikit_learns_on_the_same_points(encoder):
    ours = Classifier(FrozenEstimator(encoder), method="spread", random_state=0).fit(X, FEW)
    theirs = LabelSpreading(kernel="knn", n_neighbors=15).fit(encoder.transform(X), FEW)
    hidden = FEW == -1
    assert ours.score(X[hidden], Y[hidden]) >= theirs.score(encoder.transform(X)[hidden], Y[hidden]) - 0.03


@pytest.mark.parametrize("method", ["probe", "spread", "fine-tune", "joint"])
def test_few_labels_are_enough(method):
    model = Classifier(VAE(2, **QUICK), method=method, random_state=0).fit(X, FEW)
    hidden = FEW == -1
    assert model.score(X[hidden], Y[hidden]) > 0.75
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
    assert (p >= 0).all()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), p)
    if method in ("fine-tune", "joint"):
        again.encoder_.model_.double()  # as it would go to another device
        np.testing.assert_allclose(again.predict_proba(X), p, atol=1e-4)
    same = clone(model).fit(X, FEW)
    np.testing.assert_array_equal(same.predict_proba(X), p)


def test_all_labels_are_probed_and_some_are_spread(encoder):
    assert Classifier(encoder).fit(X, Y).method_ == "probe"
    assert Classifier(encoder).fit(X, FEW).method_ == "spread"


def test_a_fitted_encoder_is_used_as_it_is(encoder):
    before = encoder.transform(X)
    assert Classifier(encoder).fit(X, Y).encoder_ is encoder
    tuned = Classifier(encoder, method="fine-tune", random_state=0).fit(X, Y)
    assert tuned.encoder_ is not encoder
    np.testing.assert_array_equal(encoder.transform(X), before)
    assert np.abs(tuned.encoder_.transform(X) - before).max() > 1e-3


def test_a_tuned_encoder_is_saved_as_any_other(encoder, tmp_path):
    tuned = Classifier(encoder, method="fine-tune", random_state=0).fit(X, Y).encoder_
    tuned.save(tmp_path / "tuned")
    import narrows

    np.testing.assert_array_equal(narrows.load(tmp_path / "tuned").transform(X), tuned.transform(X))


def test_a_tuned_encoder_knows_its_own_codes_and_keeps_its_settings():
    encoder = VAE(2, beta=3, hidden=(16,), max_epochs=7, random_state=0, device="cpu").fit(X)
    tuned = Classifier(encoder, method="fine-tune", random_state=0).fit(X, Y).encoder_
    np.testing.assert_allclose(tuned.code_std_, tuned.transform(X).std(0), rtol=1e-4)
    assert np.abs(tuned.code_std_ - encoder.code_std_).max() > 1e-3
    assert tuned.n_iter_ > encoder.n_iter_ == 7
    last = tuned.history_[-1]
    assert last["loss"] == pytest.approx(last["nll"] + 3 * last["kl"] + 100 * last["label"], rel=1e-3)


def test_ctrl_c_while_the_encoder_learns_keeps_what_it_learned(encoder, monkeypatch):
    interrupt_at(monkeypatch, 3)
    model = Classifier(encoder, method="fine-tune", random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert model.predict(X).shape == (150,)
    assert model.encoder_.model_.label is None
    np.testing.assert_allclose(model.encoder_.code_std_, model.encoder_.transform(X).std(0), rtol=1e-4)


@pytest.mark.parametrize("method", ["auto", "joint"])
def test_ctrl_c_in_the_first_training_keeps_the_encoder(monkeypatch, method):
    model = Classifier(VAE(2, hidden=(8,), max_epochs=20), method=method, random_state=0)
    with monkeypatch.context() as patched:
        interrupt_at(patched, 3)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, FEW)
    assert model.encoder_.transform(X).shape == (150, 2)
    if method == "auto":
        again = Classifier(model.encoder_, random_state=0).fit(X, FEW)
        assert again.encoder_ is model.encoder_


def test_a_joint_model_knows_the_users_labels():
    names = np.array(["setosa", "versicolor", "virginica"])
    for y in (np.where(FEW >= 0, names[Y], None), np.where(FEW >= 0, 10 * Y + 10, -1)):
        model = Classifier(VAE(2, **QUICK), method="joint", random_state=0).fit(X, y)
        assert model.encoder_.schema_.classes == tuple(model.classes_.tolist())
        assert set(model.encoder_.infer_labels(X)) <= set(model.classes_)
        assert model.encoder_.sample(3, y=model.classes_[2]).shape == (3, 4)


def test_an_encoder_without_a_seed_takes_the_learners():
    first, again = (
        Classifier(AE(2, hidden=(8,), max_epochs=3), random_state=5).fit(X, Y).predict_proba(X) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_a_new_fit_forgets_the_earlier_one(encoder):
    model = Classifier(encoder, random_state=0).fit(X, FEW)
    assert hasattr(model, "probabilities_")
    assert not hasattr(model.fit(X, Y), "probabilities_")


def test_missing_labels_as_pandas_has_them(encoder):
    pandas = pytest.importorskip("pandas")
    names = np.array(["a", "b", "c"])[Y]
    some = pandas.Series(np.where(FEW >= 0, names, None), dtype="string")
    assert some.isna().any()
    np.testing.assert_array_equal(
        Classifier(encoder, random_state=0).fit(X, some).predict_proba(X),
        Classifier(encoder, random_state=0).fit(X, np.where(FEW >= 0, names, None)).predict_proba(X),
    )


def test_words_and_missing_ones(encoder):
    names = np.array(["red", "green", "blue"], dtype=object)[Y]
    some = np.where(FEW >= 0, names, None)
    model = Classifier(encoder).fit(X, some)
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert set(model.predict(X)) <= set(names)
    numbers = np.where(FEW >= 0, Y, np.nan)
    one, other = (Classifier(encoder, random_state=0) for _ in range(2))
    np.testing.assert_array_equal(one.fit(X, numbers).predict_proba(X), other.fit(X, FEW).predict_proba(X))


def test_minus_one_is_a_class_beside_one_other(encoder):
    y = np.where(Y == 0, -1, 1)
    assert Classifier(encoder).fit(X, y).classes_.tolist() == [-1, 1]


def test_pipeline(encoder):
    model = make_pipeline(MinMaxScaler(), Classifier(VAE(2, **QUICK), random_state=0))
    assert cross_val_score(model, X, Y, cv=3, error_score="raise").mean() > 0.8


def test_images():
    images = np.zeros((40, 8, 8), dtype=np.uint8)
    images[:20, :4] = 200
    images[20:, 4:] = 200
    images += np.random.default_rng(0).integers(0, 50, images.shape).astype(np.uint8)
    y = np.full(40, -1)
    y[[0, 1, 20, 21]] = [0, 0, 1, 1]
    model = Classifier(AE(2, **QUICK), n_neighbors=5, random_state=0).fit(images, y)
    assert model.score(images, np.repeat([0, 1], 20)) > 0.9


def test_regression_from_few():
    rng = np.random.default_rng(0)
    V = rng.uniform(-1, 1, size=(300, 2))
    v = V[:, 0] + V[:, 1] ** 2
    v_known = np.where(rng.random(300) < 0.3, v, np.nan)
    hidden = np.isnan(v_known)
    code = AE(2, hidden=(), max_epochs=60, random_state=0).fit(V)
    probe = Regressor(code, method="probe").fit(V, v_known).score(V[hidden], v[hidden])
    spread = Regressor(code).fit(V, v_known)
    assert spread.method_ == "spread"
    # a line cannot follow the square
    assert spread.score(V[hidden], v[hidden]) > probe + 0.03


@pytest.mark.parametrize("hidden", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_encoder_learns_numbers(hidden):
    rng = np.random.default_rng(0)
    V = rng.uniform(-1, 1, size=(400, 4))
    v = 50 + 20 * V[:, 0] * V[:, 1]  # a line explains nothing of it
    test = np.arange(400) >= 300
    v_known = np.where(test | (hidden & (rng.random(400) < 0.3)), np.nan, v)
    code = AE(2, hidden=(64,), max_epochs=10, random_state=0).fit(V)
    before = code.transform(V)
    examples, numbers = (V, v_known) if hidden else (V[~test], v_known[~test])
    probe = Regressor(code, method="probe").fit(examples, numbers).score(V[test], v[test])
    tuned = Regressor(code, method="fine-tune", random_state=0).fit(examples, numbers)
    assert tuned.score(V[test], v[test]) > max(probe, 0) + (0.2 if hidden else 0.7)
    np.testing.assert_array_equal(code.transform(V), before)  # the encoder that was passed does not change
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(tuned)).predict(V), tuned.predict(V))


def test_numbers_that_are_all_alike():
    model = Regressor(AE(2, hidden=(16,), max_epochs=5, random_state=0), method="fine-tune").fit(X, np.full(150, 7.0))
    np.testing.assert_allclose(model.predict(X), 7, atol=0.5)


def test_the_regression_head_states_its_costs():
    torch.manual_seed(0)
    head = RegressionHead(3).double()
    h, y = torch.randn(5, 3, dtype=torch.float64), torch.randn(5)
    expected = -torch.distributions.Normal(head.mean(h)[:, 0], 1.0).log_prob(y.double()) - 0.5 * np.log(2 * np.pi)
    torch.testing.assert_close(head(h, y).costs["label"], expected)


def test_the_label_head_states_its_costs():
    torch.manual_seed(0)
    head = LabelHead(3, [0.25, 0.75]).double()
    h = torch.randn(4, 3, dtype=torch.float64)
    label_probs, costs = head(h, torch.tensor([0, 1, UNKNOWN, UNKNOWN]))
    q = head.logits(h).softmax(1)
    expected = torch.nn.functional.cross_entropy(head.logits(h[:2]), torch.tensor([0, 1]), reduction="none")
    torch.testing.assert_close(costs["label"], torch.cat([expected, torch.zeros(2, dtype=torch.float64)]))
    prior = torch.tensor([0.25, 0.75], dtype=torch.float64)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Categorical(q[2:]), torch.distributions.Categorical(prior.expand(2, 2))
    )
    torch.testing.assert_close(
        costs["kl_label"], torch.cat([torch.zeros(2, dtype=torch.float64), kl]), atol=1e-7, rtol=0
    )
    torch.testing.assert_close(label_probs[:2], torch.eye(2, dtype=torch.float64))
    assert bool(((label_probs[2:] > 0) & (label_probs[2:] < 1)).all())


def test_relaxed_draws_have_the_frequencies_of_the_head():
    torch.manual_seed(0)
    head = LabelHead(1, [0.5, 0.5])
    with torch.no_grad():
        head.logits.weight.zero_()
        head.logits.bias.copy_(torch.tensor([0.2, 0.8]).log())
        label_probs = head(torch.zeros(20_000, 1), torch.full((20_000,), UNKNOWN)).label_probs
    assert float((label_probs.argmax(1) == 1).float().mean()) == pytest.approx(0.8, abs=0.015)  # 5 standard errors


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (FEW[:-1], "one label for each of 150"),
        (np.full(150, -1), "one class"),
        (np.zeros(150), "at least 2 classes"),
        ([None] * 150, "at least 2 examples with a label"),
    ],
)
def test_bad_labels(encoder, y, message):
    with pytest.raises(ValueError, match=message):
        Classifier(encoder).fit(X, y)


def test_bad_parameters(encoder):
    with pytest.raises(ValueError, match="must be one of 'auto', 'probe'"):
        Classifier(encoder, method="magic").fit(X, FEW)
    with pytest.raises(ValueError, match="must be less than the number of examples"):
        Classifier(encoder, n_neighbors=150).fit(X, FEW)
    with pytest.raises(TypeError, match="estimator of narrows"):
        Classifier(MinMaxScaler()).fit(X, FEW)
    with pytest.raises(TypeError, match="must be a VAE"):
        Classifier(AE(2), method="joint").fit(X, FEW)
    with pytest.raises(ValueError, match="examples without a label"):
        Classifier(VAE(2), method="joint").fit(X, Y)
    conditional = VAE(2, conditional=True, **QUICK).fit(X, Y)
    for learner in (Classifier, Regressor):
        with pytest.raises(ValueError, match="not conditional"):
            learner(conditional, method="fine-tune").fit(X, Y)
    with pytest.raises(ValueError, match="must have codes"):
        Classifier(DAE(hidden=(8,), max_epochs=1)).fit(X, FEW)
    with pytest.raises(ValueError, match="infinity"):
        Regressor(encoder).fit(X, np.full(150, np.inf))
    with pytest.raises(ValueError, match="must hold numbers"):
        Regressor(encoder).fit(X, ["a"] * 150)
    with pytest.raises(ValueError, match="one number for each of 150"):
        Regressor(encoder).fit(X, Y[:3])
