"""Old names of parts work for one release, and say the new ones."""

import numpy as np
import pytest
import torch

from narrows import objectives, params
from narrows.bottlenecks import Bottleneck, Plain, TopK
from narrows.data import Rows, infer
from narrows.likelihoods import Gaussian, Likelihood, Poisson
from narrows.recipes import RECIPES
from narrows.training import Settings, fit
from narrows.types import Batch, Code


def test_reading_and_setting_old_names():
    x = torch.zeros(2, 3)
    with pytest.warns(DeprecationWarning, match="Code.spare is now called `aux_code`"):
        assert Code(x, {}, aux_code=x).spare is x
    with pytest.warns(DeprecationWarning, match="Batch.near is now called `neighbor`"):
        assert Batch(x, x, neighbor=x).near is x
    with pytest.warns(DeprecationWarning, match="Poisson.needs is now called `required_support`"):
        assert Poisson().needs == "count"
    with pytest.warns(DeprecationWarning, match="Gaussian.unmean is now called `inverse_mean`"):
        assert Gaussian().unmean(x) is x
    code = TopK(3)
    with pytest.warns(DeprecationWarning, match="TopK.reviving is now called `aux_active`"):
        code.reviving = True
    assert code.aux_active
    with pytest.warns(DeprecationWarning, match="TopK.attend is now called `update_dead_units`"):
        code.attend()
    assert not code.aux_active
    with pytest.warns(DeprecationWarning, match="WeightedCosts is now called `WeightedObjective`"):
        assert objectives.WeightedCosts is objectives.WeightedObjective
    with pytest.warns(DeprecationWarning, match="FLAG is now called `BOOL`"):
        assert params.FLAG is params.BOOL


def test_parts_that_define_old_names():
    with pytest.warns(DeprecationWarning, match="Ticking.attend is now called `update_dead_units`"):

        class Ticking(Bottleneck):
            ticks = 0
            forward, encode = Plain.forward, Plain.encode

            def attend(self):
                self.ticks += 1

    code = Ticking()
    code.update_dead_units()
    assert code.ticks == 1
    with pytest.warns(DeprecationWarning, match="Shifted.(unmean|needs) is now called"):

        class Shifted(Likelihood):
            name, support, needs = "shifted", "counts", "count"
            log_prob, mean, sample, contains = Poisson.log_prob, Poisson.mean, Poisson.sample, Poisson.contains

            def unmean(self, m):
                return m + 1

    assert Shifted().required_support == "count"
    assert Shifted().inverse_mean(torch.ones(1)) == 2


def test_old_names_with_super_mixins_and_both_names():
    class Mixin:
        def attend(self):
            self.seen = True

    with pytest.warns(DeprecationWarning, match="Calling.attend is now called `update_dead_units`"):

        class Calling(TopK):
            def attend(self):
                self.calls = 1
                super().attend()

    with pytest.warns(DeprecationWarning, match="Mixed.attend is now called `update_dead_units`"):

        class Mixed(Mixin, TopK):
            pass

    calling = Calling(3)
    calling.aux_active = True
    with pytest.warns(DeprecationWarning, match="Calling.attend is now called `update_dead_units`"):
        calling.update_dead_units()
    assert calling.calls == 1
    assert not calling.aux_active  # TopK's own ran, too
    mixed = Mixed(3)
    mixed.update_dead_units()
    assert mixed.seen

    class Both(TopK):
        def attend(self):
            raise AssertionError

        def update_dead_units(self):
            self.calls = 1

    both = Both(3)
    both.update_dead_units()
    assert both.calls == 1


def test_examples_with_the_old_method():
    X = np.random.default_rng(0).normal(size=(80, 3))
    schema = infer(X, "old")
    parts = RECIPES["mapae"].build(schema, n_components=2, hidden=(8,))

    class Source:
        resident, has_neighbors = True, True

        def __init__(self):
            self.schema = schema

        def on(self, device, dtype):
            self.rows = Rows(X, schema, device, dtype)
            self.device = device
            return self

        def __len__(self):
            return len(X)

        def batch(self, index):
            return self.rows.batch(index)

        def find_neighbours(self, k, among, metric="euclidean"):
            self.rows.find_neighbors(k, among, metric)

    with pytest.warns(DeprecationWarning, match="Source.find_neighbours is now called `find_neighbors`"):
        fit(parts.model, parts.objective, Source(), schema, Settings(max_epochs=1, device="cpu"))
