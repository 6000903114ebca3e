"""What a fitted model says about itself: findings, their verdict, and that both are saved."""

import pickle

import pytest
from sklearn.base import clone

import narrows
from narrows import AE, VAE
from narrows.types import Finding

SMALL = {"hidden": (16,), "max_epochs": 20, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def model(vectors):
    return AE(2, **SMALL).fit(vectors)


def test_findings_are_saved_and_pickled_and_not_cloned(model, tmp_path):
    odd = Finding("odd", False, "Something is odd.", {"hidden": (8, 4), "beta": 0.25})
    changed = pickle.loads(pickle.dumps(model))
    assert changed.findings_ == model.findings_
    changed.findings_ = [odd, *model.findings_]
    changed.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model")
    assert again.findings_ == [odd, *model.findings_]
    assert again.verdict_.startswith("Not yet: something is odd. Try hidden=(8, 4), beta=0.25.")
    assert not hasattr(clone(model), "findings_")


@pytest.mark.parametrize("cls", [AE, VAE])
def test_a_finding_is_plain(cls, vectors):
    fitted = cls(2, **SMALL).fit(vectors)
    for finding in fitted.findings_:
        assert type(finding.is_well) is bool
        assert finding.message.endswith(".")
        cls(**finding.change)  # parameters of this estimator
    assert fitted.verdict_
