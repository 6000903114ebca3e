"""Trainings in several threads give what they give alone, and leave the user's random numbers alone."""

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import narrows
from narrows import rng
from narrows.accelerate import autocast
from narrows.training import RandomStream, draws_globally, forked_rng
from narrows.training.device import default_n_threads, use_threads

SMALL = {"hidden": (16,), "max_epochs": 3, "batch_size": 16, "device": "cpu", "precision": "float32", "compile": False}
CPU = torch.device("cpu")


class Wayward(nn.Module):
    """A user's encoder, which draws from torch's global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.3), nn.ReLU())

    def forward(self, x):
        return self.layers(x) + (0.1 * torch.randn(len(x), 16) if self.training else 0)


def make_wayward() -> Wayward:
    with forked_rng(7):
        return Wayward()


NETWORK = make_wayward()
KINDS = {
    "vae": lambda seed: narrows.VAE(2, **SMALL, random_state=seed),
    "dae": lambda seed: narrows.DAE(2, **SMALL, level=(0.1, 0.5), random_state=seed),
    "sae": lambda seed: narrows.SAE(8, **SMALL, random_state=seed),
    "mapae": lambda seed: narrows.MapAE(2, **SMALL, random_state=seed),
    "mapae in bfloat16": lambda seed: narrows.MapAE(2, **{**SMALL, "precision": "bfloat16"}, random_state=seed),
    "factorvae": lambda seed: narrows.estimator("factorvae")(2, **SMALL, random_state=seed),
    "wayward": lambda seed: narrows.VAE(2, **SMALL, network=NETWORK, random_state=seed),
}


def fit(kind, seed, X):
    return KINDS[kind](seed).fit(X)


def weights(model):
    return {name: t.clone() for name, t in model.model_.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def in_threads(*calls):
    """What each call gives, all begun together, each in a thread."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def test_gradients_in_bfloat16_are_added_up_alike_beside_other_threads():
    torch.manual_seed(0)
    linear, x = nn.Linear(32, 32), torch.randn(64, 32)

    def gradient(meanwhile):
        with autocast(CPU, torch.bfloat16):
            first = linear(x).square().sum()
            meanwhile()
            return torch.autograd.grad(first + linear(x[:7]).square().sum(), linear.weight)[0]

    def other():
        with autocast(CPU, torch.bfloat16):
            return torch.ones(2, 2) @ torch.ones(2, 2)

    assert torch.equal(gradient(lambda: None), gradient(lambda: in_threads(other)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seeds", [(0, 1), (3, 3)])
def test_two_fits_in_threads_give_what_they_give_alone(kind, seeds, vectors):
    alone = [fit(kind, seed, vectors) for seed in seeds]
    beside = in_threads(*(lambda seed=seed: fit(kind, seed, vectors) for seed in seeds))
    for one, other in zip(alone, beside, strict=True):
        assert_same(weights(one), weights(other))
        np.testing.assert_array_equal(one.transform(vectors), other.transform(vectors))
        assert one.offset_ == other.offset_


def test_different_kinds_in_threads_give_what_they_give_alone(vectors):
    alone = [weights(fit(kind, 0, vectors)) for kind in KINDS]
    beside = in_threads(*(lambda kind=kind: weights(fit(kind, 0, vectors)) for kind in KINDS))
    for one, other in zip(alone, beside, strict=True):
        assert_same(one, other)


def test_a_semi_supervised_fit_in_a_thread_gives_what_it_gives_alone(vectors):
    y = np.where(np.arange(200) % 3 == 0, np.nan, np.arange(200) % 2)

    def run(seed):
        return weights(narrows.VAE(2, **SMALL, conditional=True, random_state=seed).fit(vectors, y))

    alone = [run(0), run(1)]
    for one, other in zip(alone, in_threads(lambda: run(0), lambda: run(1)), strict=True):
        assert_same(one, other)


@pytest.mark.slow
def test_compiled_fits_in_threads_give_what_they_give_alone(vectors):
    def run(seed):
        return weights(narrows.VAE(2, **{**SMALL, "compile": True}, random_state=seed).fit(vectors))

    alone = [run(0), run(1)]
    for one, other in zip(alone, in_threads(lambda: run(0), lambda: run(1)), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("kind", ["vae", "wayward"])
def test_a_fit_leaves_the_users_random_numbers_as_they_were(kind, vectors):
    model = KINDS[kind](0)
    before = torch.get_rng_state()
    model.fit(vectors)
    model.partial_fit(vectors)
    model.sample(3, random_state=0, noise=True)
    assert torch.equal(torch.get_rng_state(), before)


def test_fits_in_a_thread_do_not_touch_the_numbers_that_the_user_draws_meanwhile(vectors):
    torch.manual_seed(5)
    expected = torch.stack([torch.rand(4) for _ in range(3000)])
    alone = weights(fit("dae", 0, vectors))
    fitted, is_over = [], threading.Event()

    def keep_fitting():
        while not is_over.is_set():
            fitted.append(weights(fit("dae", 0, vectors)))

    thread = threading.Thread(target=keep_fitting)
    thread.start()
    try:
        while len(fitted) < 3:
            torch.manual_seed(5)
            assert torch.equal(torch.stack([torch.rand(4) for _ in range(3000)]), expected)
    finally:
        is_over.set()
        thread.join()
    for one in fitted:
        assert_same(one, alone)


def test_samples_in_threads_are_those_of_their_seeds(vectors):
    model = narrows.VAE(2, **SMALL, random_state=0).fit(vectors)

    def draw(seed):
        return [model.sample(20, random_state=seed, noise=True) for _ in range(5)]

    alone = [draw(0), draw(1)]
    np.testing.assert_array_equal(alone, in_threads(lambda: draw(0), lambda: draw(1)))


def test_each_thread_chooses_as_many_of_torchs_threads_as_alone(monkeypatch):
    """A number that one thread sets is that of all that begin later."""
    shared = {"n": 8}
    monkeypatch.setattr(torch, "get_num_threads", lambda: shared["n"])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: shared.update(n=n))
    entered, left = threading.Event(), threading.Event()

    def first():
        with use_threads(1):
            entered.set()
            assert left.wait(60)

    def second():
        assert entered.wait(60)
        seen = [shared["n"], default_n_threads()]
        with use_threads(4):
            seen.append(default_n_threads())
        left.set()
        return seen

    assert in_threads(first, second)[1] == [1, 8, 4]
    assert shared["n"] == default_n_threads() == 8


TWO_THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import torch
import narrows

torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(600, 20))
COMMON = {"max_epochs": 3, "device": "cpu", "precision": "float32", "compile": False, "random_state": 0}

def fit(hidden):
    model = narrows.VAE(2, hidden=hidden, batch_size=128, **COMMON).fit(X)
    choices = [line for line in model.report_ if line.startswith("threads")]
    return choices, model.transform(X), torch.get_num_threads()

sizes = [(16,), (1500, 1500)]  # steps that are worth one thread, and two
alone = [fit(hidden) for hidden in sizes]
with ThreadPoolExecutor(2) as pool:
    beside = list(pool.map(fit, sizes * 2))
for (choices, codes, n), (right, expected, _) in zip(beside, alone * 2, strict=True):
    assert (choices, n) == (right, 2), (choices, right, n)
    np.testing.assert_array_equal(codes, expected)
with ThreadPoolExecutor(1) as pool:
    assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 2
assert alone[0][0] != alone[1][0]
"""


@pytest.mark.slow
def test_trainings_in_threads_have_torchs_threads_as_alone():
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(narrows.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", TWO_THREADS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_numbers_under_1e_38_are_what_they_were_after_fits_in_threads(vectors):
    def sum_after_fit():
        fit("vae", 0, vectors)
        return float((torch.full((8,), 1e-40) * 1).sum())

    assert min(*in_threads(sum_after_fit, sum_after_fit), float((torch.full((8,), 1e-40) * 1).sum())) > 0


def test_a_choice_within_a_choice_goes_back_to_the_outer_one(monkeypatch):
    shared = {"n": 8}
    monkeypatch.setattr(torch, "get_num_threads", lambda: shared["n"])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: shared.update(n=n))
    with use_threads(2):
        with use_threads(1):
            assert default_n_threads() == 1
        assert default_n_threads() == shared["n"] == 2
    assert shared["n"] == 8


# What the streams are made of


DRAWS = {
    "randn_like": (lambda x: rng.randn_like(x), lambda x: torch.randn_like(x)),
    "rand_like": (lambda x: rng.rand_like(x), lambda x: torch.rand_like(x)),
    "randint_like": (lambda x: rng.randint_like(x.long(), 9), lambda x: torch.randint_like(x.long(), 9)),
    "exponential_like": (lambda x: rng.exponential_like(x), lambda x: torch.empty_like(x).exponential_()),
    "randn": (lambda x: rng.randn(x.shape), lambda x: torch.randn(x.shape)),
    "rand": (lambda x: rng.rand(x.shape), lambda x: torch.rand(x.shape)),
    "uniform": (lambda x: rng.uniform(2, 3, x.shape), lambda x: torch.empty(x.shape).uniform_(2, 3)),
    "randint": (lambda x: rng.randint(9, x.shape), lambda x: torch.randint(9, x.shape)),
    "bernoulli": (lambda x: rng.bernoulli(x), torch.bernoulli),
    "poisson": (lambda x: rng.poisson(9 * x), lambda x: torch.poisson(9 * x)),
    "gamma": (lambda x: rng.gamma(x, 2 * x), lambda x: torch.distributions.Gamma(x, 2 * x).sample()),
}


@pytest.mark.parametrize("is_global", [False, True])
@pytest.mark.parametrize("shape", [(3, 5), (64, 33), (2, 3, 8, 8)])
@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_is_the_one_of_torchs_global_generator(name, shape, is_global):
    ours, torchs = DRAWS[name]
    x = torch.full(shape, 0.5)
    x = x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
    with forked_rng(11):
        expected = [torchs(x), torchs(x)]
    stream = RandomStream(11, CPU, is_global)
    with stream.use():
        first = ours(x)
    torch.rand(3)  # what is drawn between two uses is the user's
    with stream.use(), torch.inference_mode():
        second = ours(x)
    for drawn, right in zip((first, second), expected, strict=True):
        assert torch.equal(drawn, right)
        assert drawn.stride() == right.stride()


@pytest.mark.parametrize("recipe", ["ae", "vae", "dae", "sae", "mapae"])
@pytest.mark.parametrize("image", [False, True])
def test_a_model_begins_with_the_numbers_of_its_seed_without_the_global_generator(recipe, image, digits, vectors):
    X = digits if image else vectors
    model = narrows.estimator(recipe)(2, **SMALL)
    model.schema_ = narrows.data.infer(X, "test")
    torch.manual_seed(3)
    before = torch.get_rng_state()
    made = model._assemble(9).model.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    with forked_rng(9):
        values = {name: getattr(model, name) for name in model.recipe.parameters}
        assert_same(model.recipe.make(model.schema_, **values).model.state_dict(), made)


@pytest.mark.parametrize("was_global", [False, True])
@pytest.mark.parametrize("is_global", [False, True])
def test_a_stream_goes_on_from_the_state_of_another(was_global, is_global):
    x, before, after = torch.zeros(5, 7), RandomStream(1, CPU, was_global), RandomStream(2, CPU, is_global)
    with before.use():
        rng.randn_like(x)
    after.restore(before.state())
    with before.use():
        expected = rng.randn_like(x)
    with after.use():
        assert torch.equal(rng.randn_like(x), expected)


def test_what_may_draw_from_torchs_generators_is_known():
    assert not draws_globally(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.GELU(), nn.Flatten()))
    for part in (nn.Dropout(), nn.RReLU(), nn.MultiheadAttention(4, 2), nn.LSTM(2, 2, 2, dropout=0.1), NETWORK):
        assert draws_globally(nn.Sequential(nn.Linear(2, 2), part))
    for recipe in ("ae", "vae", "dae", "sae", "mapae"):
        model = narrows.estimator(recipe)(2, **SMALL)
        model.schema_ = narrows.data.infer(np.eye(4), "test")
        assert not draws_globally(*model._assemble(0)[:2])


def test_an_error_within_a_stream_leaves_the_users_numbers_as_they_were():
    before = torch.get_rng_state()
    with contextlib.suppress(ZeroDivisionError), RandomStream(0, CPU, True).use():
        assert 1 / torch.rand(3).sum().item() / 0
    assert torch.equal(torch.get_rng_state(), before)
