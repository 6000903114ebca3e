"""Old names of parts work for one release, and say the new ones."""

import pytest
import torch

from narrows import objectives, params
from narrows.bottlenecks import Bottleneck, Plain, TopK
from narrows.likelihoods import Gaussian, Likelihood, Poisson
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
