

@needs_compiler
@pytest.mark.slow
def test_more_models_are_compiled_than_torch_keeps_graphs(monkeypatch):
    monkeypatch.setattr(compiled_step, "_MOST_GRAPHS", 2)
    X = np.random.default_rng(0).normal(size=(64, 5))
    for width in (4, 5, 6, 7):
        options = {"hidden": (width,), "max_epochs": 2, "random_state": 0, "device": "cpu", "precision": "float32"}
        plain, compiled = (AE(2, compile=how, **options).fit(X) for how in (False, True))
        assert not any("could not be compiled" in line for line in compiled.report_)
        np.testing.assert_allclose(compiled.transform(X), plain.transform(X), rtol=1e-3, atol=1e-3)
