"""Pictures of a masked autoencoder of a table: all but those that need decoded codes."""

import matplotlib.pyplot as plt
import pytest
from mixed_table import make_frame

import narrows


@pytest.fixture(scope="module")
def mixed():
    return make_frame(120)


@pytest.fixture(scope="module")
def model(mixed):
    return narrows.TableAE(16, max_epochs=2, random_state=0, device="cpu").fit(mixed)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_pictures_that_decode_nothing_are_drawn(model, mixed):
    assert model.plot.curves().get_ylabel() == "loss, nats per example"
    assert "principal axis 1" in model.plot.map(mixed, "home").get_xlabel()
    assert {"best", "worst"} <= {text.get_text().split(",")[0] for text in model.plot.reconstructions(mixed).texts}
    labels = [label.get_text() for label in model.plot.samples(X=mixed).get_yticklabels()]
    assert {"height", "grade"} <= set(labels)
    assert len(model.plot.samples().get_yticklabels()) == 8  # also without real rows


def test_pictures_of_decoded_codes_say_what_to_do_instead(model, mixed):
    with pytest.raises(ValueError, match=r"plot.dials decodes codes, and those of TableAE cannot be decoded.*sample"):
        model.plot.dials(mixed[:1])
    with pytest.raises(ValueError, match=r"plot.units needs a sparse code"):
        model.plot.units(mixed)
