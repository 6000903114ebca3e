"""Constructors of the estimators, and the class of each recipe. Written by scripts/stubs: do not edit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from torch import nn

from narrows.estimators import maps, models
from narrows.estimators.base import Estimator

class Shared(Estimator):
    """Parameters that all estimators share."""

    batch_size: int | Literal["auto"]
    learning_rate: float | Literal["auto"]
    weight_decay: float | Literal["auto"]
    max_epochs: int | Literal["auto"]
    max_time: float | None
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int | Literal["auto"]
    contamination: float | Literal["auto"]
    device: str
    precision: Literal["auto", "float32", "bfloat16", "float64"]
    compile: bool | Literal["auto"]
    sharded: bool | Literal["auto"]
    checkpoint: str | Path | None
    track: Any
    random_state: int | np.random.RandomState | np.random.Generator | None
    verbose: int

class AE(Shared):
    """The plain autoencoder: each example through a few numbers, and back."""

    n_components: int
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (1024, 512),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The plain autoencoder: as many outputs as inputs, and a code of a few numbers between them.

        With `hidden=()` it is linear, and its codes span the subspace of PCA.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Numbers in a code.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default (1024, 512)
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import AE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> AE(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit_transform(X).shape
        (200, 2)
        """

class VAE(Shared):
    """The variational autoencoder: the code is a Gaussian near N(0, I), so codes can be drawn and dials turned."""

    n_components: int
    beta: float
    kl_warmup: float
    free_nats: float
    posterior: Literal["gaussian", "laplace", "flow"]
    prior: Literal["standard", "mixture"]
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        free_nats: float = 0.0,
        posterior: Literal["gaussian", "laplace", "flow"] = "gaussian",
        prior: Literal["standard", "mixture"] = "standard",
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (1024, 512),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The variational autoencoder: turn one dial a component, draw new examples, score any.

        The encoder gives a mean and a log standard deviation; z = mean + exp(log_std) * eps, pulled to N(0, I). After
        fitting, components are in the order of the nats that they carry (`components_kl_`), and those that carry nothing
        are listed (`unused_components_`). With `conditional=True` the decoder also gets the label of each example, so that
        `sample(n, y=label)` draws examples of that label.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Numbers in a code.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL from the prior; 1 is the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training over which the KL's weight grows from 0.
        free_nats : a float in the range [0, inf), default 0.0
            KL in nats for each component below which there is no pull.
        posterior : one of 'gaussian', 'laplace', 'flow', default 'gaussian'
            Shape of the distribution of an example's codes; 'flow' needs the extra flows.
        prior : one of 'standard', 'mixture', default 'standard'
            Distribution of all codes: 'standard', of mean 0, or a 'mixture' of Gaussians.
        conditional : one of True, False, default False
            True to give the decoder each example's label: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of a nat of label beside a nat of reconstruction, where some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default (1024, 512)
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import VAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = VAE(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> model.sample(3).shape, model.traverse(n_steps=7).shape
        ((3, 5), (2, 7, 5))
        """

class DAE(Shared):
    """The denoising autoencoder: shown a noisy example, it gives back the clean one."""

    n_components: int | None
    noise: Literal["gaussian", "masking", "salt_and_pepper", "poisson"]
    level: float | tuple[float, float]
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int | None = None,
        *,
        noise: Literal["gaussian", "masking", "salt_and_pepper", "poisson"] = "gaussian",
        level: float | tuple[float, float] = 0.3,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (1024, 512),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The denoising autoencoder: `denoise` cleans noisy data.

        It trains on clean examples, to which it adds noise. With `n_components=None` there is no narrow code, so that no
        detail is lost: a U-Net for images. With a number it also gives robust features.

        Parameters
        ----------
        n_components : an int in the range [1, inf) or None, default None
            Numbers in a code; None for a model without a narrow code.
        noise : one of 'gaussian', 'masking', 'salt_and_pepper', 'poisson', default 'gaussian'
            Kind of noise.
        level : a float of at least 0, or a pair (low, high) of such, default 0.3
            Noise level on the model's scale, or (low, high) to draw one for each example.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default (1024, 512)
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import DAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> DAE(level=(0.1, 0.5), hidden=(32,), max_epochs=5, random_state=0).fit(X).denoise(X).shape
        (200, 5)
        """

class SAE(Shared):
    """The sparse autoencoder: many units, few of them active, each an expert on something."""

    n_components: int
    sparsity: Literal["topk", "l1", "kl"]
    k: int | Literal["auto"]
    strength: float
    rate: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int = 256,
        *,
        sparsity: Literal["topk", "l1", "kl"] = "topk",
        k: int | Literal["auto"] = "auto",
        strength: float = 1.0,
        rate: float = 0.05,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The sparse autoencoder: many units, of which only a few are active for one example.

        The decoder is a dictionary: each unit adds its own direction, so the meaning of a unit can be inspected.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 256
            Numbers in a code.
        sparsity : one of 'topk', 'l1', 'kl', default 'topk'
            Constraint that keeps the code sparse.
        k : an int in the range [1, inf) or 'auto', default 'auto'
            Units that are active for one example (topk).
        strength : a float in the range [0, inf), default 1.0
            Weight of the sparsity cost (l1, kl).
        rate : a float in the range (0, 1), default 0.05
            Target mean activation of a unit (kl).
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default ()
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import SAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = SAE(n_components=16, k=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> bool(model.active_units(X).count.max() <= 2)
        True
        """

class MapAE(Shared):
    """The autoencoder as a map: what is near in the data is near in the code, and each place can be decoded."""

    n_components: int
    n_neighbors: int | Literal["auto"]
    metric: Literal["auto", "euclidean", "cosine"]
    attraction: float
    breadth: float
    strength: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int | Literal["auto"] = "auto",
        metric: Literal["auto", "euclidean", "cosine"] = "auto",
        attraction: float = 1.3,
        breadth: float = 0.2,
        strength: float = 20.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (256, 256, 256, 256, 256, 256),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The autoencoder as a map: examples that are near in the data are near in the code, and each place can be decoded.

        It draws a map in two dimensions, as UMAP or t-SNE do, but by an encoder. New examples get their place at once,
        every place can be decoded, and `trust` tells how reliable each part is.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Numbers in a code.
        n_neighbors : an int in the range [1, inf) or 'auto', default 'auto'
            Nearest rows that are to stay near on the map; 'auto' is 20.
        metric : one of 'auto', 'euclidean', 'cosine', default 'auto'
            Distance by which they are found; 'auto' is 'cosine', of centred examples, for images, and else 'euclidean'.
        attraction : a float in the range (0, inf), default 1.3
            Pull between neighbours; 1 is that of t-SNE, more gathers clusters as UMAP does.
        breadth : a float in the range [0, 1], default 0.2
            Share of the pull towards the nearest of a batch, for the map at large; 0 is all detail.
        strength : a float in the range [0, inf), default 20.0
            Weight of a nat of the neighbours' cost beside a nat of the likelihood of each entry.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default (256, 256, 256, 256, 256, 256)
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.

        Attributes
        ----------
        reference_codes_ : (r, n_components) codes of some training examples.
        reference_trust_ : (r,) trust in each of them, in [0, 1].

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import MapAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = MapAE(hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> Z = model.transform(X)
        >>> Z.shape, model.trust(X).shape, model.trust_at(Z).shape, model.inverse_transform(Z).shape
        ((200, 2), (200,), (200,), (200, 5))
        """

class IWAE(Shared):
    """The importance-weighted autoencoder: a VAE whose bound on the log-likelihood is tighter, by several draws."""

    n_components: int
    n_draws: int
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        n_draws: int = 8,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (1024, 512),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The importance-weighted autoencoder: a VAE whose bound on the log-likelihood is tighter, by several draws.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Numbers in a code.
        n_draws : an int in the range [1, inf), default 8
            Draws from each posterior; more make the bound tighter and a step longer.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default (1024, 512)
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.
        """

class FACTORVAE(Shared):
    """The VAE whose components are independent of each other, by a discriminator that tells when they are not."""

    n_components: int
    tc_weight: float
    kl_warmup: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        tc_weight: float = 6.0,
        kl_warmup: float = 0.1,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (1024, 512),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The VAE whose components are independent of each other, by a discriminator that tells when they are not.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Numbers in a code.
        tc_weight : a float in the range [0, inf), default 6.0
            Weight of the total correlation, beside the KL; gamma of the paper.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training over which the weights grow from 0.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default (1024, 512)
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.
        """

class VQVAE(Shared):
    """The vector-quantised autoencoder: a code of whole numbers, each the name of a learned vector."""

    n_components: int
    n_codes: int
    group_size: int
    commitment: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int]
    likelihood: Literal[
        "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
    ]
    def __init__(
        self,
        n_components: int = 16,
        *,
        n_codes: int = 256,
        group_size: int = 1,
        commitment: float = 0.25,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] = (1024, 512),
        likelihood: Literal[
            "auto", "bernoulli", "continuous_bernoulli", "gaussian", "heteroscedastic", "poisson", "negative_binomial"
        ] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        max_time: float | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        n_iter_no_change: int | Literal["auto"] = "auto",
        contamination: float | Literal["auto"] = "auto",
        device: str = "auto",
        precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto",
        compile: bool | Literal["auto"] = "auto",
        sharded: bool | Literal["auto"] = "auto",
        checkpoint: str | Path | None = None,
        track: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        """The vector-quantised autoencoder: a code of whole numbers, each the name of a learned vector.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 16
            Numbers in a code.
        n_codes : an int in the range [2, inf), default 256
            Learned vectors that a group of components can be.
        group_size : an int in the range [1, inf), default 1
            Components of a group; n_components must be a multiple of it.
        commitment : a float in the range [0, inf), default 0.25
            Weight of the distance between the encoder's output and the vectors.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder).
        hidden : a sequence of ints of at least 1, default (1024, 512)
            Widths of an MLP encoder's layers, mirrored in the decoder; () for linear.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given a code; 'auto' picks by the data.

        Other Parameters
        ----------------
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Examples in one training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of Adam.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the data.
        max_time : a float in the range (0, inf) or None, default None
            Longest time to train, in seconds.
        early_stopping : one of True, False, default True
            True to hold rows out, cool down at a plateau, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of rows held out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement that make a plateau; 'auto' is 10, for a map 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Share of outliers that sets the threshold of `predict`.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device that computes.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step.
        sharded : one of True, False or 'auto', default 'auto'
            True to give each of several processes a share of the model rather than all of it.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; fit resumes from the one that it finds there.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Trackers that get the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of everything random; None takes a fresh one.
        verbose : an int in the range [0, inf), default 0
            0 for silence, 1 for a progress bar and decisions, 2 for a line an epoch.
        """

@overload
def estimator(recipe: Literal["ae"]) -> type[models.AE]: ...
@overload
def estimator(recipe: Literal["vae"]) -> type[models.VAE]: ...
@overload
def estimator(recipe: Literal["dae"]) -> type[models.DAE]: ...
@overload
def estimator(recipe: Literal["sae"]) -> type[models.SAE]: ...
@overload
def estimator(recipe: Literal["mapae"]) -> type[maps.MapAE]: ...
@overload
def estimator(recipe: Literal["iwae"]) -> type[IWAE]: ...
@overload
def estimator(recipe: Literal["factorvae"]) -> type[FACTORVAE]: ...
@overload
def estimator(recipe: Literal["vqvae"]) -> type[VQVAE]: ...
@overload
def estimator(recipe: str) -> type[Estimator]:
    """Return the estimator class of a recipe. A recipe without a class of its own gets a generated one."""
