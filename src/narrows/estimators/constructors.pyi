"""Constructors of the estimators, and the class of each recipe. Written by scripts/stubs: do not edit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from torch import nn

from narrows.estimators import maps, models, selection, tables
from narrows.estimators.base import Estimator
from narrows.estimators.decoding import CodeEstimator

class Shared(Estimator):
    """Parameters that all estimators share."""

    columns: Any
    max_levels: int | None
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
    verbose: int | Literal["auto"]
    max_examples: int | None
    buffer_size: int | Literal["auto"]

class VQVAE(Shared, CodeEstimator):
    """The vector-quantised autoencoder: its code is whole numbers, each the index of a learned vector."""

    n_components: int
    n_codes: int
    group_size: int | Literal["auto"]
    commitment: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 16,
        *,
        n_codes: int = 256,
        group_size: int | Literal["auto"] = 1,
        commitment: float = 0.25,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The vector-quantised autoencoder: its code is whole numbers, each the index of a learned vector.

        van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning (2017), https://arxiv.org/abs/1711.00937.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 16
            Number of components: the length of each code.
        n_codes : an int in the range [2, inf), default 256
            Number of learned vectors; each group of components is one of them.
        group_size : an int in the range [1, inf) or 'auto', default 1
            Number of components in a group; it must divide n_components; 'auto' is the largest such number up to 4.
        commitment : a float in the range [0, inf), default 0.25
            Weight of the distance from the encoder's output to its vectors.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class VQVAE2(Shared, CodeEstimator):
    """A VQ-VAE with two grids of vectors: the coarse one holds the whole image, and the fine one what that leaves open."""

    n_components: int
    n_codes: int
    n_levels: int
    group_size: int | Literal["auto"]
    commitment: float
    width: int
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 40,
        *,
        n_codes: int = 256,
        n_levels: int = 2,
        group_size: int | Literal["auto"] = "auto",
        commitment: float = 0.25,
        width: int = 16,
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VQ-VAE with two grids of vectors: the coarse one holds the whole image, and the fine one what that leaves open.

        Razavi, van den Oord and Vinyals, Generating diverse high-fidelity images with VQ-VAE-2 (2019), https://arxiv.org/abs/1906.00446.

        Parameters
        ----------
        n_components : an int in the range [2, inf), default 40
            Number of components: `group_size` for each place of the grids; a multiple of 5 in most cases.
        n_codes : an int in the range [2, inf), default 256
            Number of learned vectors of each grid; each place is one of them.
        n_levels : an int in the range [1, inf), default 2
            Number of grids, from coarse to fine.
        group_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of components of a place; 'auto' is the largest number up to 4 that gives grids, or the next one.
        commitment : a float in the range [0, inf), default 0.25
            Weight of the distance from the encoder's output to its vectors.
        width : an int in the range [1, inf), default 16
            Channels of the networks at the full size of the image.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class RQVAE(Shared, CodeEstimator):
    """The residual-quantised autoencoder: a code is a sum of learned vectors, and the first of them are a coarser code."""

    n_components: int
    n_levels: int
    n_codes: int
    prefix_share: float
    commitment: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 16,
        *,
        n_levels: int = 8,
        n_codes: int = 256,
        prefix_share: float = 0.0,
        commitment: float = 0.25,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The residual-quantised autoencoder: a code is a sum of learned vectors, and the first of them are a coarser code.

        Lee et al., Autoregressive image generation using residual quantization (2022), https://arxiv.org/abs/2203.01941; Zeghidour et al., SoundStream: an end-to-end neural audio codec (2021), https://arxiv.org/abs/2107.03312.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 16
            Number of components: the length of each code.
        n_levels : an int in the range [1, inf), default 8
            Number of learned vectors whose sum is a code, from coarse to fine.
        n_codes : an int in the range [2, inf), default 256
            Number of learned vectors of each level to choose from.
        prefix_share : a float in the range [0, 1], default 0.0
            Share of the training examples that are decoded from some first levels only.
        commitment : a float in the range [0, inf), default 0.25
            Weight of the distance from the encoder's output to its vectors.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class FSQAE(Shared, CodeEstimator):
    """The finite-scalar-quantised autoencoder: each component is rounded to one of a few values; no vectors to learn."""

    n_components: int
    n_values: int | Sequence[int]
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 16,
        *,
        n_values: int | Sequence[int] = 8,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The finite-scalar-quantised autoencoder: each component is rounded to one of a few values; no vectors to learn.

        Mentzer et al., Finite scalar quantization: VQ-VAE made simple (2023), https://arxiv.org/abs/2309.15505.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 16
            Number of components: the length of each code.
        n_values : an int in the range [2, inf) or a sequence of ints of at least 2, one for each component, default 8
            Number of values that a component can have; one number for all, or one for each.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class CATVAE(Shared, CodeEstimator):
    """The categorical VAE: a code is a value of each of some categories, which are drawn in the training."""

    n_components: int
    n_values: int | Literal["auto"]
    beta: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 100,
        *,
        n_values: int | Literal["auto"] = "auto",
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The categorical VAE: a code is a value of each of some categories, which are drawn in the training.

        Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax (2017), https://arxiv.org/abs/1611.01144; Maddison, Mnih and Teh, The concrete distribution (2017), https://arxiv.org/abs/1611.00712.

        Parameters
        ----------
        n_components : an int in the range [2, inf), default 100
            Number of components: one for each value of each category.
        n_values : an int in the range [2, inf) or 'auto', default 'auto'
            Number of values of a category, each a component; it must divide n_components; 'auto' is the divisor nearest to 10.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the uniform prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL grows from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class JOINTVAE(Shared, CodeEstimator):
    """A VAE with a category beside its numbers: without labels it sorts the examples into kinds (`predict_cluster`)."""

    n_components: int
    n_values: Literal[0, "auto"] | int
    capacity: float
    category_capacity: float
    capacity_weight: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 20,
        *,
        n_values: Literal[0, "auto"] | int = "auto",
        capacity: float = 10.0,
        category_capacity: float = 5.0,
        capacity_weight: float = 30.0,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with a category beside its numbers: without labels it sorts the examples into kinds (`predict_cluster`).

        Dupont, Learning disentangled joint continuous and discrete representations (2018), https://arxiv.org/abs/1804.00104.

        Parameters
        ----------
        n_components : an int in the range [3, inf), default 20
            Number of components: the numbers, then the values of the category.
        n_values : one of 0, 'auto' or an int in the range [2, inf), default 'auto'
            Number of values of the category, which are the last components; 'auto' is 10, or half of the components.
        capacity : a float in the range [0, inf), default 10.0
            Nats that the other components carry together.
        category_capacity : a float in the range [0, inf), default 5.0
            Nats that the category carries, at most log(n_values).
        capacity_weight : a float in the range [0, inf), default 30.0
            Weight of the difference from both numbers of nats; gamma.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class VAEGAN(Shared, CodeEstimator):
    """A VAE with crisper examples: an opponent learns to tell decoded examples from data, and compares them."""

    n_components: int
    feature_weight: float
    realism: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        feature_weight: float = 1.0,
        realism: float = 1.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with crisper examples: an opponent learns to tell decoded examples from data, and compares them.

        Larsen, Sønderby, Larochelle and Winther, Autoencoding beyond pixels using a learned similarity metric (2016), https://arxiv.org/abs/1512.09300. The likelihood of the entries keeps its weight here, so that scores stay scores.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        feature_weight : a float in the range [0, inf), default 1.0
            Weight of the opponent's cost: the distance of its features, and their realism.
        realism : a float in the range [0, inf), default 1.0
            Weight of looking like data, relative to the distance of the features.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which all weights grow from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class MSSSIMVAE(Shared, CodeEstimator):
    """A VAE for images whose reconstructions keep the structure that people see: edges and contrast."""

    n_components: int
    strength: float
    beta: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        strength: float = 1.0,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE for images whose reconstructions keep the structure that people see: edges and contrast.

        Snell et al., Learning to generate images with perceptual similarity metrics (2017), https://arxiv.org/abs/1511.06409.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        strength : a float in the range [0, inf), default 1.0
            Weight of the dissimilarity relative to the mean negative log-likelihood of an entry.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which all weights grow from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class AE(Shared, CodeEstimator):
    """The plain autoencoder: it compresses each example to a few numbers and restores the example from them."""

    n_components: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The plain autoencoder: it compresses each example to a few numbers, its code, and restores the example from it.

        The training minimises the reconstruction error and nothing else. `transform` gives the codes, `inverse_transform`
        decodes codes, and `reconstruct` does both. `predict` marks outliers: examples that it reconstructs badly. With
        `hidden=()` the model is linear, and its codes span the same subspace as those of PCA.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import AE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> AE(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit_transform(X).shape
        (200, 2)
        """

class VAE(Shared, CodeEstimator):
    """The variational autoencoder: codes follow N(0, I), so new ones can be drawn, and each component can be varied."""

    n_components: int
    beta: float
    kl_warmup: float
    free_nats: float
    capacity: float
    bound: Literal["elbo", "iwae", "miwae", "piwae", "ciwae"]
    n_draws: int
    n_groups: int
    elbo_share: float
    posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"]
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        free_nats: float = 0.0,
        capacity: float = 0.0,
        bound: Literal["elbo", "iwae", "miwae", "piwae", "ciwae"] = "elbo",
        n_draws: int = 8,
        n_groups: int = 4,
        elbo_share: float = 0.5,
        posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"] = "gaussian",
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The variational autoencoder: draw new examples, vary one component of a code at a time, and score any example.

        The encoder gives a mean and a standard deviation for each component of the code. The code is drawn from them:
        z = mean + std * eps, eps ~ N(0, I). The loss is the negative ELBO: the negative log-likelihood of the example given
        z, plus the KL divergence of the code's distribution from the prior N(0, I). So codes drawn from N(0, I) decode to
        new examples that look like the training data.

        - `transform` gives the means, `score_samples` the ELBO of each example, and `predict` marks outliers.
        - `sample` draws new examples, `traverse` varies one component at a time, and `interpolate` goes from one example to
          another.
        - The fitted components are sorted by the nats that they carry, largest first: `components_kl_`. If some carry
          nothing, `unused_components_` lists them, and a smaller `n_components` is enough.
        - With `conditional=True` the decoder also gets the label of each example. Call `fit(X, y)`, then
          `sample(n, y=label)` draws examples with that label. Labels may be missing (NaN or None).

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        free_nats : a float in the range [0, inf), default 0.0
            KL in nats that each component may have at no cost.
        capacity : a float in the range [0, inf), default 0.0
            KL in nats that the code of each example shall have: the distance from it is charged, not the KL; 0 for none.
        bound : one of 'elbo', 'iwae', 'miwae', 'piwae', 'ciwae', default 'elbo'
            Bound on the log-likelihood to maximise: 'elbo' takes one draw of each code, the others several.
        n_draws : an int in the range [1, inf), default 8
            Codes drawn for each example; more make the bound tighter and the training slower.
        n_groups : an int in the range [1, inf), default 4
            Groups of draws with a bound each, for 'miwae' and (of the encoder) for 'piwae'.
        elbo_share : a float in the range [0, 1], default 0.5
            Share of the ELBO in the bound 'ciwae'.
        posterior : one of 'gaussian', 'laplace', 'flow', 'planar', 'ladder', default 'gaussian'
            Distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' has two groups of components, of which one depends on the other.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import VAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = VAE(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> model.sample(3).shape, model.traverse(n_steps=7).shape
        ((3, 5), (2, 7, 5))
        """

class DAE(Shared, CodeEstimator):
    """The denoising autoencoder: it turns a noisy example into a clean one."""

    n_components: int | None
    noise: Literal["gaussian", "masking", "salt_and_pepper", "poisson"]
    level: float | tuple[float, float]
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int | None = None,
        *,
        noise: Literal["gaussian", "masking", "salt_and_pepper", "poisson"] = "gaussian",
        level: float | tuple[float, float] = 0.3,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The denoising autoencoder: `denoise` removes noise from examples.

        Fit it to clean examples. The training adds noise to them (`noise`, `level`), and the model learns to restore them.
        With `n_components=None` there is no code, so that no detail is lost; for images the network is then a U-Net. With a
        number, `transform` gives codes that change little with noise.

        Parameters
        ----------
        n_components : an int in the range [1, inf) or None, default None
            Length of each code; None for a model without a code, which keeps every detail.
        noise : one of 'gaussian', 'masking', 'salt_and_pepper', 'poisson', default 'gaussian'
            Kind of noise to add in the training.
        level : a float of at least 0, or a pair (low, high) of such, default 0.3
            Amount of noise on the model's scale (standard deviation of 'gaussian'); (low, high) draws one for each example.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import DAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> DAE(level=(0.1, 0.5), hidden=(32,), max_epochs=5, random_state=0).fit(X).denoise(X).shape
        (200, 5)
        """

class SAE(Shared, CodeEstimator):
    """The sparse autoencoder: of its many units only a few are active for one example."""

    n_components: int
    sparsity: Literal["topk", "batchtopk", "jumprelu", "gated", "matryoshka", "l1", "kl"]
    k: int | Literal["auto"]
    strength: float
    rate: float
    prefixes: Any
    patience: int | Literal["auto"]
    n_aux: int
    aux_weight: float
    skip: bool
    frozen_decoder: bool
    scale: Literal["column", "layer", "all", "none", "layer_norm"]
    center: Literal["mean", "median"]
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    sparse_output: bool
    def __init__(
        self,
        n_components: int = 256,
        *,
        sparsity: Literal["topk", "batchtopk", "jumprelu", "gated", "matryoshka", "l1", "kl"] = "topk",
        k: int | Literal["auto"] = "auto",
        strength: float = 1.0,
        rate: float = 0.05,
        prefixes: Any = "auto",
        patience: int | Literal["auto"] = "auto",
        n_aux: int = 256,
        aux_weight: float = 0.25,
        skip: bool = False,
        frozen_decoder: bool = False,
        scale: Literal["column", "layer", "all", "none", "layer_norm"] = "column",
        center: Literal["mean", "median"] = "mean",
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = (),
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        sparse_output: bool = False,
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The sparse autoencoder: of its many units only a few are active for one example.

        The decoder is a dictionary: the output is the sum of the active units' directions, each times its activation. So a
        unit stands for one kind of pattern, and can be inspected. `active_units` tells which units are active for each
        example, and `top_examples` for which examples a unit is most active.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 256
            Number of components: the length of each code.
        sparsity : one of 'topk', 'batchtopk', 'jumprelu', 'gated', 'matryoshka', 'l1', 'kl', default 'topk'
            Method to keep the code sparse: 'topk' keeps the k largest units of each example, 'batchtopk' k for each example of a batch on average, 'matryoshka' the same for nested sets of units; 'jumprelu' learns a threshold of each unit for k of them; 'gated' learns gates; 'l1' and 'kl' add a cost.
        k : an int in the range [1, inf) or 'auto', default 'auto'
            Number of active units for one example: at most ('topk') or on average ('batchtopk', 'matryoshka', 'jumprelu'); 'auto' is n_components / 8, at most 16.
        strength : a float in the range [0, inf), default 1.0
            Weight of the sparsity cost ('l1', 'kl', 'gated'; 'jumprelu', where k is the target).
        rate : a float in the range (0, 1), default 0.05
            Mean activation that each unit should have ('kl').
        prefixes : a sequence of ints of at least 1 or 'auto', default 'auto'
            Numbers of first units that reconstruct alone, too ('matryoshka'); 'auto' is 1/16 and 1/4 of n_components.
        patience : an int in the range [1, inf) or 'auto', default 'auto'
            Number of training examples after which a silent unit counts as dead and is revived; 'auto' is 200 n_components / k, at least 5,000.
        n_aux : an int in the range [1, inf), default 256
            Largest number of dead units that one example revives.
        aux_weight : a float in the range [0, inf), default 0.25
            Weight of the loss that revives dead units; 0 for none.
        skip : one of True, False, default False
            True to add a linear map of X to the dictionary's output; for targets: fit(X, Y) with many columns.
        frozen_decoder : one of True, False, default False
            True to keep the random directions of the dictionary and train the rest: a baseline for what learned ones add.
        scale : one of 'column', 'layer', 'all', 'none', 'layer_norm', default 'column'
            What real-valued vectors are divided by: 'column' (the deviation of each column), 'all' (the root of their mean variance), 'layer' (the same for each layer of a crosscoder), 'none'; or 'layer_norm' (each row by its own mean and deviation, and its reconstruction back).
        center : one of 'mean', 'median', default 'mean'
            What is subtracted from real-valued vectors: their 'mean', or the geometric 'median'.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default ()
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        sparse_output : one of True, False, default False
            True to give codes as a sparse matrix of SciPy (CSR) of the active units; with precision='bfloat16' the products for it are in bfloat16, faster and less exact.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import SAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = SAE(n_components=16, k=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> bool(model.active_units(X).count.max() <= 2)
        True

        `fit(X, Y)` with targets Y of several columns learns these from X: a transcoder. `reconstruct(X)` then gives them.

        `model.unit_names_ = {7: "curves"}` names units. Names are saved beside the weights, and reports show them. A new
        fit forgets them.
        """

class MapAE(Shared, CodeEstimator):
    """The autoencoder as a map: near examples have near codes, and each place on the map can be decoded."""

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
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
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
        hidden: Sequence[int] | Literal["auto"] = (256, 256, 256, 256, 256, 256),
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The autoencoder as a map: near examples have near codes, and each place on the map can be decoded.

        It makes a map of the data in two dimensions, as UMAP and t-SNE do, but with an encoder and a decoder. `transform`
        places examples on the map, also new ones, `inverse_transform` decodes any place, and `trust` tells how reliable the
        place of each example is.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        n_neighbors : an int in the range [1, inf) or 'auto', default 'auto'
            Number of nearest rows that should stay near each row on the map; 'auto' is 20.
        metric : one of 'auto', 'euclidean', 'cosine', default 'auto'
            Distance that finds the nearest rows; 'auto' is 'cosine' (of centred examples) for images, else 'euclidean'.
        attraction : a float in the range (0, inf), default 1.3
            Pull between neighbours; 1 is as in t-SNE, more makes clusters tighter, as in UMAP.
        breadth : a float in the range [0, 1], default 0.2
            Share of the pull that shapes the global layout; the rest keeps the nearest rows together.
        strength : a float in the range [0, inf), default 20.0
            Weight of the cost of neighbours relative to the mean negative log-likelihood of an entry.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default (256, 256, 256, 256, 256, 256)
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Attributes
        ----------
        reference_codes_ : (r, n_components) codes of some training examples.
        reference_trust_ : (r,) trust in the places of these examples, in [0, 1].

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

class BETATCVAE(Shared, CodeEstimator):
    """A VAE with independent components: their dependence is computed from the batch, without a discriminator."""

    n_components: int
    tc_weight: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        tc_weight: float = 5.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with independent components: their dependence is computed from the batch, without a discriminator.

        Chen, Li, Grosse and Duvenaud, Isolating sources of disentanglement in variational autoencoders (2018), https://arxiv.org/abs/1802.04942.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        tc_weight : a float in the range [0, inf), default 5.0
            Weight of the total correlation, which is added to the KL; beta - 1 in the paper.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which all weights grow from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class FACTORVAE(Shared, CodeEstimator):
    """A VAE with independent components: a discriminator detects dependence, which the loss then reduces."""

    n_components: int
    tc_weight: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        tc_weight: float = 6.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with independent components: a discriminator detects dependence, which the loss then reduces.

        Kim and Mnih, Disentangling by factorising (2018), https://arxiv.org/abs/1802.05983.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        tc_weight : a float in the range [0, inf), default 6.0
            Weight of the total correlation, which is added to the KL; gamma in the paper.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which both weights grow from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class DIPVAE(Shared, CodeEstimator):
    """A VAE with uncorrelated components: the covariance of the codes is kept near the identity."""

    n_components: int
    covariance: Literal["means", "draws"]
    dip_weight: float
    diagonal_weight: float | Literal["auto"]
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        covariance: Literal["means", "draws"] = "draws",
        dip_weight: float = 10.0,
        diagonal_weight: float | Literal["auto"] = "auto",
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with uncorrelated components: the covariance of the codes is kept near the identity.

        Kumar, Sattigeri and Balakrishnan, Variational inference of disentangled latent concepts from unlabeled observations (2018), https://arxiv.org/abs/1711.00848.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        covariance : one of 'means', 'draws', default 'draws'
            Covariance to bring near the identity: of the posterior means (DIP-VAE-I) or of drawn codes (DIP-VAE-II).
        dip_weight : a float in the range [0, inf), default 10.0
            Weight of the squared covariances; lambda_od in the paper.
        diagonal_weight : a float in the range [0, inf) or 'auto', default 'auto'
            Weight of the squared differences of the variances from 1, relative to the covariances; 'auto' is that of the paper, 10 for 'means' and 1 for 'draws'.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which all weights grow from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class INFOVAE(Shared, CodeEstimator):
    """A VAE whose codes tell more of each example: only all codes together are pulled to N(0, I)."""

    n_components: int
    beta: float
    strength: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 0.1,
        strength: float = 10.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose codes tell more of each example: only all codes together are pulled to N(0, I).

        Zhao, Song and Ermon, InfoVAE: Balancing learning and inference in variational autoencoders (2019), https://arxiv.org/abs/1706.02262, with the maximum mean discrepancy.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 0.1
            Weight of the KL divergence of each posterior; 1 - alpha in the paper.
        strength : a float in the range [0, inf), default 10.0
            Weight of the distance between codes and prior relative to the mean negative log-likelihood of an entry.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which all weights grow from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class WAE(Shared, CodeEstimator):
    """An autoencoder to draw from: each example has one code, and all codes together follow N(0, I)."""

    n_components: int
    measure: Literal["mmd", "sliced"]
    strength: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        measure: Literal["mmd", "sliced"] = "mmd",
        strength: float = 10.0,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An autoencoder to draw from: each example has one code, and all codes together follow N(0, I).

        Tolstikhin, Bousquet, Gelly and Schölkopf, Wasserstein auto-encoders (2018), https://arxiv.org/abs/1711.01558.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        measure : one of 'mmd', 'sliced', default 'mmd'
            Distance between codes and prior: 'mmd' (maximum mean discrepancy) or 'sliced' (sliced Wasserstein distance).
        strength : a float in the range [0, inf), default 10.0
            Weight of the distance between codes and prior relative to the mean negative log-likelihood of an entry.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class AAE(Shared, CodeEstimator):
    """An autoencoder to draw from: a discriminator learns to tell codes from N(0, I), and the encoder to deceive it."""

    n_components: int
    strength: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        strength: float = 5.0,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An autoencoder to draw from: a discriminator learns to tell codes from N(0, I), and the encoder to deceive it.

        Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial autoencoders (2015), https://arxiv.org/abs/1511.05644.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        strength : a float in the range [0, inf), default 5.0
            Weight of the cost of codes that the discriminator tells from draws.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class RAE(Shared, CodeEstimator):
    """An autoencoder to draw from without noise: short codes and a smooth decoder, then a density of the codes."""

    n_components: int
    code_weight: float
    slope_weight: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        code_weight: float = 0.1,
        slope_weight: float = 0.0,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An autoencoder to draw from without noise: short codes and a smooth decoder, then a density of the codes.

        Ghosh, Sajjadi, Vergari, Black and Schölkopf, From variational to deterministic autoencoders (2020), https://arxiv.org/abs/1903.12436. `fit_sampler(X)` fits a mixture of Gaussians to the codes, as the paper does.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        code_weight : a float in the range [0, inf), default 0.1
            Weight of half the squared length of a code.
        slope_weight : a float in the range [0, inf), default 0.0
            Weight of the squared slope of the decoder, in standardised units; 0 leaves it to the weight decay (RAE-L2).
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class CONTRACTIVEAE(Shared, CodeEstimator):
    """An autoencoder whose codes change little with small changes of the example."""

    n_components: int
    contraction: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        contraction: float = 0.1,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An autoencoder whose codes change little with small changes of the example.

        Rifai, Vincent, Muller, Glorot and Bengio, Contractive auto-encoders: Explicit invariance during feature extraction (2011), https://icml.cc/2011/papers/455_icmlpaper.pdf.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        contraction : a float in the range [0, inf), default 0.1
            Weight of the squared slope of the encoder, in standardised units.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class NESTEDAE(Shared, CodeEstimator):
    """An autoencoder with ordered components, as PCA has: the first k of them reconstruct as well as k can."""

    n_components: int
    nesting: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        nesting: float = 1.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An autoencoder with ordered components, as PCA has: the first k of them reconstruct as well as k can.

        Rippel, Gelbart and Adams, Learning ordered representations with nested dropout (2014), https://arxiv.org/abs/1402.0915.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        nesting : a float in the range [0, inf), default 1.0
            Weight of the loss of a random number of first components, relative to that of all components.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class BETAVAE(Shared, CodeEstimator):
    """A VAE whose KL counts more: fewer components are used, and each of them is more independent of the others."""

    n_components: int
    beta: float
    kl_warmup: float
    free_nats: float
    posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"]
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 4.0,
        kl_warmup: float = 0.1,
        free_nats: float = 0.0,
        posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"] = "gaussian",
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose KL counts more: fewer components are used, and each of them is more independent of the others.

        Higgins et al., beta-VAE: Learning basic visual concepts with a constrained variational framework (2017), https://openreview.net/forum?id=Sy2fzU9gl.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 4.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        free_nats : a float in the range [0, inf), default 0.0
            KL in nats that each component may have at no cost.
        posterior : one of 'gaussian', 'laplace', 'flow', 'planar', 'ladder', default 'gaussian'
            Distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' has two groups of components, of which one depends on the other.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class DISENTANGLEDBETAVAE(Shared, CodeEstimator):
    """A VAE whose code carries more and more nats, up to a capacity: one component after the other comes into use."""

    n_components: int
    beta: float
    kl_warmup: float
    capacity: float
    posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"]
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 10.0,
        kl_warmup: float = 0.5,
        capacity: float = 10.0,
        posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"] = "gaussian",
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose code carries more and more nats, up to a capacity: one component after the other comes into use.

        Burgess et al., Understanding disentangling in beta-VAE (2018), https://arxiv.org/abs/1804.03599.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 10.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.5
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        capacity : a float in the range [0, inf), default 10.0
            KL in nats that the code of each example shall have: the distance from it is charged, not the KL; 0 for none.
        posterior : one of 'gaussian', 'laplace', 'flow', 'planar', 'ladder', default 'gaussian'
            Distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' has two groups of components, of which one depends on the other.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class IWAE(Shared, CodeEstimator):
    """The importance-weighted autoencoder: a VAE with a tighter bound on the log-likelihood, from several draws."""

    n_components: int
    kl_warmup: float
    n_draws: int
    posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"]
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        kl_warmup: float = 0.0,
        n_draws: int = 8,
        posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"] = "gaussian",
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The importance-weighted autoencoder: a VAE with a tighter bound on the log-likelihood, from several draws.

        Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2016), https://arxiv.org/abs/1509.00519.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        kl_warmup : a float in the range [0, 0.7], default 0.0
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        n_draws : an int in the range [1, inf), default 8
            Codes drawn for each example; more make the bound tighter and the training slower.
        posterior : one of 'gaussian', 'laplace', 'flow', 'planar', 'ladder', default 'gaussian'
            Distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' has two groups of components, of which one depends on the other.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class MIWAE(Shared, CodeEstimator):
    """An IWAE with the mean of several bounds, each from a part of the draws: the encoder gets a better gradient."""

    n_components: int
    kl_warmup: float
    n_draws: int
    n_groups: int
    posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"]
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        kl_warmup: float = 0.0,
        n_draws: int = 8,
        n_groups: int = 4,
        posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"] = "gaussian",
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An IWAE with the mean of several bounds, each from a part of the draws: the encoder gets a better gradient.

        Rainforth et al., Tighter variational bounds are not necessarily better (2018), https://arxiv.org/abs/1802.04537.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        kl_warmup : a float in the range [0, 0.7], default 0.0
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        n_draws : an int in the range [1, inf), default 8
            Codes drawn for each example; more make the bound tighter and the training slower.
        n_groups : an int in the range [1, inf), default 4
            Groups of draws with a bound each, for 'miwae' and (of the encoder) for 'piwae'.
        posterior : one of 'gaussian', 'laplace', 'flow', 'planar', 'ladder', default 'gaussian'
            Distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' has two groups of components, of which one depends on the other.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class PIWAE(Shared, CodeEstimator):
    """An IWAE whose encoder learns from the mean of several bounds (MIWAE), and whose decoder from the tight one."""

    n_components: int
    kl_warmup: float
    n_draws: int
    n_groups: int
    posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"]
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        kl_warmup: float = 0.0,
        n_draws: int = 8,
        n_groups: int = 4,
        posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"] = "gaussian",
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An IWAE whose encoder learns from the mean of several bounds (MIWAE), and whose decoder from the tight one.

        Rainforth et al., Tighter variational bounds are not necessarily better (2018), https://arxiv.org/abs/1802.04537.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        kl_warmup : a float in the range [0, 0.7], default 0.0
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        n_draws : an int in the range [1, inf), default 8
            Codes drawn for each example; more make the bound tighter and the training slower.
        n_groups : an int in the range [1, inf), default 4
            Groups of draws with a bound each, for 'miwae' and (of the encoder) for 'piwae'.
        posterior : one of 'gaussian', 'laplace', 'flow', 'planar', 'ladder', default 'gaussian'
            Distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' has two groups of components, of which one depends on the other.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class CIWAE(Shared, CodeEstimator):
    """An IWAE whose bound is mixed with the ELBO, so that the encoder gets a better gradient."""

    n_components: int
    kl_warmup: float
    n_draws: int
    elbo_share: float
    posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"]
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        kl_warmup: float = 0.0,
        n_draws: int = 8,
        elbo_share: float = 0.5,
        posterior: Literal["gaussian", "laplace", "flow", "planar", "ladder"] = "gaussian",
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """An IWAE whose bound is mixed with the ELBO, so that the encoder gets a better gradient.

        Rainforth et al., Tighter variational bounds are not necessarily better (2018), https://arxiv.org/abs/1802.04537.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        kl_warmup : a float in the range [0, 0.7], default 0.0
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        n_draws : an int in the range [1, inf), default 8
            Codes drawn for each example; more make the bound tighter and the training slower.
        elbo_share : a float in the range [0, 1], default 0.5
            Share of the ELBO in the bound 'ciwae'.
        posterior : one of 'gaussian', 'laplace', 'flow', 'planar', 'ladder', default 'gaussian'
            Distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' has two groups of components, of which one depends on the other.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class VAMP(Shared, CodeEstimator):
    """A VAE whose prior is the mixture of the posteriors of learned examples, so that the prior fits the codes."""

    n_components: int
    beta: float
    kl_warmup: float
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        n_modes: int = 100,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose prior is the mixture of the posteriors of learned examples, so that the prior fits the codes.

        Tomczak and Welling, VAE with a VampPrior (2018), https://arxiv.org/abs/1705.07120.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        n_modes : an int in the range [1, inf), default 100
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class GMVAE(Shared, CodeEstimator):
    """A VAE whose prior is a mixture of Gaussians, which finds clusters: `predict_cluster`, `cluster_probs`."""

    n_components: int
    beta: float
    kl_warmup: float
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose prior is a mixture of Gaussians, which finds clusters: `predict_cluster`, `cluster_probs`.

        Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture variational autoencoders (2016), https://arxiv.org/abs/1611.02648.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class VAE_LINNF(Shared, CodeEstimator):
    """A VAE whose posterior is a Gaussian that planar steps, a linear normalising flow, give another shape."""

    n_components: int
    beta: float
    kl_warmup: float
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose posterior is a Gaussian that planar steps, a linear normalising flow, give another shape.

        Rezende and Mohamed, Variational inference with normalizing flows (2015), https://arxiv.org/abs/1505.05770.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class VAE_IAF(Shared, CodeEstimator):
    """A VAE whose posterior is a Gaussian that an inverse autoregressive flow gives another shape (extra `flows`)."""

    n_components: int
    beta: float
    kl_warmup: float
    prior: Literal["standard", "mixture", "vamp", "flow"]
    n_modes: int
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        prior: Literal["standard", "mixture", "vamp", "flow"] = "standard",
        n_modes: int = 10,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose posterior is a Gaussian that an inverse autoregressive flow gives another shape (extra `flows`).

        Kingma et al., Improving variational inference with inverse autoregressive flow (2016), https://arxiv.org/abs/1606.04934.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        prior : one of 'standard', 'mixture', 'vamp', 'flow', default 'standard'
            Distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`).
        n_modes : an int in the range [1, inf), default 10
            Number of modes of the priors 'mixture' and 'vamp'.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class LADDERVAE(Shared, CodeEstimator):
    """A VAE with two groups of components, of which the first sets the prior of the second."""

    n_components: int
    beta: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with two groups of components, of which the first sets the prior of the second.

        Sonderby, Raiko, Maaloe, Sonderby and Winther, Ladder variational autoencoders (2016), https://arxiv.org/abs/1602.02282.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL (or the `capacity`) grows from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class SWAE(Shared, CodeEstimator):
    """A Wasserstein autoencoder that compares codes and prior along random lines."""

    n_components: int
    strength: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        strength: float = 1.0,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A Wasserstein autoencoder that compares codes and prior along random lines.

        Kolouri, Pope, Martin and Rohde, Sliced-Wasserstein autoencoder (2018), https://arxiv.org/abs/1804.01947.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        strength : a float in the range [0, inf), default 1.0
            Weight of the distance between codes and prior relative to the mean negative log-likelihood of an entry.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class RAEGP(Shared, CodeEstimator):
    """A regularised autoencoder whose decoder is kept smooth by a penalty on its slope."""

    n_components: int
    code_weight: float
    slope_weight: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    start: Literal["pca", "random"]
    def __init__(
        self,
        n_components: int = 2,
        *,
        code_weight: float = 0.1,
        slope_weight: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        start: Literal["pca", "random"] = "pca",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A regularised autoencoder whose decoder is kept smooth by a penalty on its slope.

        Ghosh, Sajjadi, Vergari, Black and Schölkopf, From variational to deterministic autoencoders (2020), https://arxiv.org/abs/1903.12436, RAE-GP.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        code_weight : a float in the range [0, inf), default 0.1
            Weight of half the squared length of a code.
        slope_weight : a float in the range [0, inf), default 0.1
            Weight of the squared slope of the decoder, in standardised units; 0 leaves it to the weight decay (RAE-L2).
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        start : one of 'pca', 'random', default 'pca'
            'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' starts from random weights.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class PQVAE(Shared, CodeEstimator):
    """A vector-quantised autoencoder whose code is a few longer vectors: product quantisation, for short codes."""

    n_components: int
    n_codes: int
    group_size: int | Literal["auto"]
    commitment: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 16,
        *,
        n_codes: int = 256,
        group_size: int | Literal["auto"] = "auto",
        commitment: float = 0.25,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A vector-quantised autoencoder whose code is a few longer vectors: product quantisation, for short codes.

        Jegou, Douze and Schmid, Product quantization for nearest neighbor search (2011), https://doi.org/10.1109/TPAMI.2010.57; in an autoencoder: Wu and Flierl, Learning product codebooks using vector-quantized autoencoders for image retrieval (2018), https://arxiv.org/abs/1807.04629.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 16
            Number of components: the length of each code.
        n_codes : an int in the range [2, inf), default 256
            Number of learned vectors; each group of components is one of them.
        group_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of components in a group; it must divide n_components; 'auto' is the largest such number up to 4.
        commitment : a float in the range [0, inf), default 0.25
            Weight of the distance from the encoder's output to its vectors.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class Crosscoder(Shared, CodeEstimator):
    """A sparse dictionary of several layers, or of several models: one code explains the activations of all of them."""

    n_components: int
    sparsity: Literal["topk", "batchtopk", "jumprelu", "gated", "matryoshka", "l1", "kl"]
    k: int | Literal["auto"]
    strength: float
    prefixes: Any
    patience: int | Literal["auto"]
    n_aux: int
    aux_weight: float
    frozen_decoder: bool
    scale: Literal["column", "layer", "all", "none", "layer_norm"]
    center: Literal["mean", "median"]
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    sparse_output: bool
    def __init__(
        self,
        n_components: int = 256,
        *,
        sparsity: Literal["topk", "batchtopk", "jumprelu", "gated", "matryoshka", "l1", "kl"] = "batchtopk",
        k: int | Literal["auto"] = "auto",
        strength: float = 1.0,
        prefixes: Any = "auto",
        patience: int | Literal["auto"] = "auto",
        n_aux: int = 256,
        aux_weight: float = 0.25,
        frozen_decoder: bool = False,
        scale: Literal["column", "layer", "all", "none", "layer_norm"] = "layer",
        center: Literal["mean", "median"] = "mean",
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = (),
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        sparse_output: bool = False,
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The crosscoder: one sparse dictionary for the activations of several layers, or models, for the same token.

        X is (n, layers, width), or files or blocks of such rows; rows with one axis are of one layer. All layers share one
        code, and `reconstruct` gives the activations of all. A unit's direction has a part in each layer, and
        `layer_shares_` tells in which layers a unit lives.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 256
            Number of components: the length of each code.
        sparsity : one of 'topk', 'batchtopk', 'jumprelu', 'gated', 'matryoshka', 'l1', 'kl', default 'batchtopk'
            Method to keep the code sparse: 'topk' keeps the k largest units of each example, 'batchtopk' k for each example of a batch on average, 'matryoshka' the same for nested sets of units; 'jumprelu' learns a threshold of each unit for k of them; 'gated' learns gates; 'l1' and 'kl' add a cost.
        k : an int in the range [1, inf) or 'auto', default 'auto'
            Number of active units for one example: at most ('topk') or on average ('batchtopk', 'matryoshka', 'jumprelu'); 'auto' is n_components / 8, at most 16.
        strength : a float in the range [0, inf), default 1.0
            Weight of the sparsity cost ('l1', 'kl', 'gated'; 'jumprelu', where k is the target).
        prefixes : a sequence of ints of at least 1 or 'auto', default 'auto'
            Numbers of first units that reconstruct alone, too ('matryoshka'); 'auto' is 1/16 and 1/4 of n_components.
        patience : an int in the range [1, inf) or 'auto', default 'auto'
            Number of training examples after which a silent unit counts as dead and is revived; 'auto' is 200 n_components / k, at least 5,000.
        n_aux : an int in the range [1, inf), default 256
            Largest number of dead units that one example revives.
        aux_weight : a float in the range [0, inf), default 0.25
            Weight of the loss that revives dead units; 0 for none.
        frozen_decoder : one of True, False, default False
            True to keep the random directions of the dictionary and train the rest: a baseline for what learned ones add.
        scale : one of 'column', 'layer', 'all', 'none', 'layer_norm', default 'layer'
            What real-valued vectors are divided by: 'column' (the deviation of each column), 'all' (the root of their mean variance), 'layer' (the same for each layer of a crosscoder), 'none'; or 'layer_norm' (each row by its own mean and deviation, and its reconstruction back).
        center : one of 'mean', 'median', default 'mean'
            What is subtracted from real-valued vectors: their 'mean', or the geometric 'median'.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default ()
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.
        sparse_output : one of True, False, default False
            True to give codes as a sparse matrix of SciPy (CSR) of the active units; with precision='bfloat16' the products for it are in bfloat16, faster and less exact.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Attributes
        ----------
        layer_shares_ : (n_components, layers) norm of each unit's direction in each layer, divided by the sum of the unit's
            norms, so that each row sums to 1. Norms are those of the scaled rows (`scale`).

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import estimator
        >>> X = np.random.default_rng(0).normal(size=(200, 3, 5))
        >>> model = estimator("crosscoder")(n_components=16, k=2, max_epochs=5, random_state=0).fit(X)
        >>> model.transform(X).shape, model.reconstruct(X).shape, model.layer_shares_.shape
        ((200, 16), (200, 3, 5), (16, 3))
        """

class ConcreteAE(Shared, CodeEstimator):
    """The choice of the columns, or pixels, from which all others can be restored best."""

    n_components: int
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The choice of the columns, or pixels, from which all others can be restored best.

        Each component of the code is one column of the data. In the training it is a mixture of columns, which narrows down
        to one. `selected_features_` tells the columns, `transform` gives them (standardised), and `reconstruct` restores
        all columns from them. There are at most `n_components` columns.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Attributes
        ----------
        selected_features_ : SelectedFeatures, indices and names of the selected columns.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import estimator
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = estimator("concreteae")(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> len(model.selected_features_.indices), int(model.get_support().sum()) <= 2
        (2, True)
        """

class MASKEDAE(Shared, CodeEstimator):
    """A masked autoencoder for images: it learns features by guessing most of an image from a few patches."""

    n_components: int
    patch_size: int | Literal["auto"]
    mask_rate: float
    visible_weight: float
    width: int
    n_blocks: int
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 32,
        *,
        patch_size: int | Literal["auto"] = "auto",
        mask_rate: float = 0.75,
        visible_weight: float = 1.0,
        width: int = 64,
        n_blocks: int = 3,
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A masked autoencoder for images: it learns features by guessing most of an image from a few patches.

        He et al., Masked autoencoders are scalable vision learners (2022), https://arxiv.org/abs/2111.06377. Unlike theirs, the decoder sees a code of `n_components` numbers and not a token of each patch, so that codes can be decoded.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 32
            Number of components: the length of each code.
        patch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Side of a patch in pixels; 'auto' is the largest of 2 to 8 that gives at least 49 patches.
        mask_rate : a float in the range (0, 1), default 0.75
            Share of the patches that the encoder does not see.
        visible_weight : a float in the range [0, inf), default 1.0
            Weight of a visible patch in the loss, relative to that of a hidden one.
        width : a multiple of 16, default 64
            Numbers of each patch in the encoder; the decoder has half as many.
        n_blocks : an int in the range [0, 100], default 3
            Number of blocks of the encoder; the decoder has one.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class SVAE(Shared, CodeEstimator):
    """A VAE with codes on a sphere, for data that have directions or cycles: codes have length 1 and no centre."""

    n_components: int
    beta: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 3,
        *,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with codes on a sphere, for data that have directions or cycles: codes have length 1 and no centre.

        Davidson et al., Hyperspherical variational auto-encoders (2018), https://arxiv.org/abs/1804.00891.

        Parameters
        ----------
        n_components : an int in the range [2, inf), default 3
            Number of components: the sphere has one dimension less.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL grows from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class POINCAREVAE(Shared, CodeEstimator):
    """A VAE with codes in hyperbolic space (the Poincare ball), for hierarchies: trees need few components there."""

    n_components: int
    curvature: float
    beta: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        curvature: float = 1.0,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE with codes in hyperbolic space (the Poincare ball), for hierarchies: trees need few components there.

        Mathieu et al., Continuous hierarchical representations with Poincare variational auto-encoders (2019), https://arxiv.org/abs/1901.06033.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        curvature : a float in the range (0, inf), default 1.0
            Curvature of the space, without its sign; small values make it nearly flat.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL grows from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class HVAE(Shared, CodeEstimator):
    """A VAE whose draws follow the gradient of the likelihood for a few steps: a tighter bound, several times as slow."""

    n_components: int
    n_leapfrog: int
    beta: float
    kl_warmup: float
    conditional: bool
    label_weight: float
    network: (
        Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module]
    )
    hidden: Sequence[int] | Literal["auto"]
    likelihood: Literal[
        "auto",
        "bernoulli",
        "continuous_bernoulli",
        "gaussian",
        "heteroscedastic",
        "student_t",
        "discretized_logistic",
        "poisson",
        "negative_binomial",
    ]
    def __init__(
        self,
        n_components: int = 2,
        *,
        n_leapfrog: int = 3,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        conditional: bool = False,
        label_weight: float = 10.0,
        network: Literal["auto", "mlp", "conv"]
        | nn.Module
        | tuple[Literal["auto", "mlp", "conv"] | nn.Module, Literal["auto", "mlp", "conv"] | nn.Module] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        likelihood: Literal[
            "auto",
            "bernoulli",
            "continuous_bernoulli",
            "gaussian",
            "heteroscedastic",
            "student_t",
            "discretized_logistic",
            "poisson",
            "negative_binomial",
        ] = "auto",
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """A VAE whose draws follow the gradient of the likelihood for a few steps: a tighter bound, several times as slow.

        Caterini, Doucet and Sejdinovic, Hamiltonian variational auto-encoder (2018), https://arxiv.org/abs/1805.11328.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 2
            Number of components: the length of each code.
        n_leapfrog : an int in the range [1, inf), default 3
            Steps that move each draw towards the true posterior; each costs a pass of the decoder.
        beta : a float in the range [0, inf), default 1.0
            Weight of the KL divergence from the prior; 1 gives the ELBO.
        kl_warmup : a float in the range [0, 0.7], default 0.1
            Share of the training in which the weight of the KL grows from 0.
        conditional : one of True, False, default False
            True to give the decoder the label of each example: fit(X, y), then sample(n, y=label).
        label_weight : a float in the range [0, inf), default 10.0
            Weight of the label's loss relative to the reconstruction's; only used if some labels are missing.
        network : one of 'auto', 'mlp', 'conv', a torch.nn.Module, or a pair (encoder, decoder) of such, default 'auto'
            Encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder.
        hidden : a sequence of ints of at least 1 or 'auto', default 'auto'
            Widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; 'auto' follows the rows, the columns and `max_time`.
        likelihood : one of 'auto', 'bernoulli', 'continuous_bernoulli', 'gaussian', 'heteroscedastic', 'student_t', 'discretized_logistic', 'poisson', 'negative_binomial', default 'auto'
            Distribution of the data given the code; 'auto' chooses by the data.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.
        """

class TableAE(Shared):
    """The masked autoencoder for tables: it predicts any cells of a row from any others."""

    n_components: int
    mask_rate: Any
    n_bins: int
    n_blocks: int
    dropout: float
    def __init__(
        self,
        n_components: int = 128,
        *,
        mask_rate: Any = "auto",
        n_bins: int = 50,
        n_blocks: int = 2,
        dropout: float = 0.1,
        columns: Any = None,
        max_levels: int | None = 256,
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
        verbose: int | Literal["auto"] = "auto",
        max_examples: int | None = None,
        buffer_size: int | Literal["auto"] = "auto",
    ) -> None:
        """The masked autoencoder for tables: it predicts any cells of a row from any others, and gives all their chances.

        In training, cells of each row are hidden, and the model learns them from the others. Each column has a categorical
        distribution over its levels: categories, distinct numbers, or bins of numbers. One fit serves all tasks:

        - `impute` fills gaps, with one value or with several draws.
        - `sample` draws new rows, also with given cells: `sample(100, given={"income": ">50K"})`.
        - `predict(X, column)` and `predict_proba(X, column)` predict a column from all others.
        - `score_samples` is the sum of log p(cell | all others); `surprise` and `explain` find strange cells.
        - `transform` gives the last hidden state of each row. It cannot be decoded, so there is no `inverse_transform`;
          `reconstruct` gives each cell from all others. Take AE or VAE for short codes and dials.

        Parameters
        ----------
        n_components : an int in the range [1, inf), default 128
            Width of the network, and length of each code.
        mask_rate : 'auto' or a pair (low, high) of shares from 0 to 1, default 'auto'
            Range of the share of hidden cells in training; 'auto' serves all tasks: half of the rows (0.05, 0.5), which suits filling gaps, half (0, 1), which suits drawing rows.
        n_bins : an int in the range [2, 1000], default 50
            Number of bins of a column of numbers, and most distinct numbers that are levels.
        n_blocks : an int in the range [0, 100], default 2
            Number of residual blocks of the encoder.
        dropout : a float in the range [0, 1), default 0.1
            Share of hidden units that are dropped in training.

        Other Parameters
        ----------------
        columns : a dict from columns to kinds, or None, default None
            Kinds of columns of a table, such as {'zip': 'categorical'}, one of real, heavy_tailed, integer, count, binary, categorical, ordered, datetime, duration, constant, identifier, text ('identifier' leaves a column out); None finds all.
        max_levels : an int in the range [2, inf) or None, default 256
            Largest number of levels of a column of a table; rarer values become one level, `other`, which is given back as missing; None keeps all.
        batch_size : an int in the range [1, inf) or 'auto', default 'auto'
            Number of examples in each training step.
        learning_rate : a float in the range (0, inf) or 'auto', default 'auto'
            Highest learning rate of AdamW.
        weight_decay : a float in the range [0, inf) or 'auto', default 'auto'
            Weight decay of AdamW, against over-fitting.
        max_epochs : an int in the range [1, inf) or 'auto', default 'auto'
            Largest number of passes over the training data.
        max_time : a float in the range (0, inf) or None, default None
            Time limit of the training, in seconds; None for no limit.
        early_stopping : one of True, False, default True
            True to hold out rows, cool down and end when their loss stops falling, and keep the best weights.
        validation_fraction : a float in the range (0, 1), default 0.1
            Share of the rows to hold out for early stopping.
        n_iter_no_change : an int in the range [1, inf) or 'auto', default 'auto'
            Validations without improvement before the cool-down; 'auto' is 10, MapAE: 25.
        contamination : a float in the range (0, 0.5] or 'auto', default 'auto'
            Expected share of new rows to call outliers; 'auto' is 0.05.
        device : a device's name, such as 'auto', 'cpu', 'cuda', default 'auto'
            Device to compute on; 'auto' is a GPU if there is one, otherwise the CPU.
        precision : one of 'auto', 'float32', 'bfloat16', 'float64', default 'auto'
            Dtype of matrix products; with 'bfloat16', weights and losses stay in float32.
        compile : one of True, False or 'auto', default 'auto'
            True to compile the training step (torch.compile); 'auto' does so if it saves time.
        sharded : one of True, False or 'auto', default 'auto'
            True to split the model over the processes; False for a full copy in each process.
        checkpoint : a folder's path or None, default None
            Folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints.
        track : None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) and finish(), or a list of these, default None
            Where to log the losses during the training.
        random_state : an int, a numpy RandomState or Generator, or None, default None
            Seed of all random numbers; None takes a new one in each fit.
        verbose : an int in the range [0, inf) or 'auto', default 'auto'
            'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a bar and the decisions, 2 also for a line per validation.
        max_examples : an int in the range [2, inf) or None, default None
            Largest number of training examples in all steps; of an iterator, of rows to read; None for no limit.
        buffer_size : an int in the range [8, inf) or 'auto', default 'auto'
            Rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> from narrows import TableAE
        >>> rng = np.random.default_rng(0)
        >>> age = rng.integers(18, 80, 300)
        >>> frame = pd.DataFrame({"age": age, "plan": np.where(age > 50, "basic", "plus"), "visits": rng.poisson(age / 20)})
        >>> model = TableAE(32, max_epochs=30, random_state=0).fit(frame)
        >>> gaps = frame.assign(plan=frame["plan"].where(rng.random(300) < 0.8))
        >>> bool((model.impute(gaps)["plan"] == frame["plan"]).mean() > 0.95)
        True
        >>> set(model.sample(20, given={"plan": "basic"}, random_state=0)["plan"])
        {'basic'}
        >>> model.predict_proba(frame, "plan").shape, model.levels("plan")
        ((300, 2), ['basic', 'plus'])
        """

@overload
def estimator(recipe: Literal["vqvae"]) -> type[VQVAE]: ...
@overload
def estimator(recipe: Literal["vqvae2"]) -> type[VQVAE2]: ...
@overload
def estimator(recipe: Literal["rqvae"]) -> type[RQVAE]: ...
@overload
def estimator(recipe: Literal["fsqae"]) -> type[FSQAE]: ...
@overload
def estimator(recipe: Literal["catvae"]) -> type[CATVAE]: ...
@overload
def estimator(recipe: Literal["jointvae"]) -> type[JOINTVAE]: ...
@overload
def estimator(recipe: Literal["vaegan"]) -> type[VAEGAN]: ...
@overload
def estimator(recipe: Literal["msssimvae"]) -> type[MSSSIMVAE]: ...
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
def estimator(recipe: Literal["betatcvae"]) -> type[BETATCVAE]: ...
@overload
def estimator(recipe: Literal["factorvae"]) -> type[FACTORVAE]: ...
@overload
def estimator(recipe: Literal["dipvae"]) -> type[DIPVAE]: ...
@overload
def estimator(recipe: Literal["infovae"]) -> type[INFOVAE]: ...
@overload
def estimator(recipe: Literal["wae"]) -> type[WAE]: ...
@overload
def estimator(recipe: Literal["aae"]) -> type[AAE]: ...
@overload
def estimator(recipe: Literal["rae"]) -> type[RAE]: ...
@overload
def estimator(recipe: Literal["contractiveae"]) -> type[CONTRACTIVEAE]: ...
@overload
def estimator(recipe: Literal["nestedae"]) -> type[NESTEDAE]: ...
@overload
def estimator(recipe: Literal["betavae"]) -> type[BETAVAE]: ...
@overload
def estimator(recipe: Literal["disentangledbetavae"]) -> type[DISENTANGLEDBETAVAE]: ...
@overload
def estimator(recipe: Literal["iwae"]) -> type[IWAE]: ...
@overload
def estimator(recipe: Literal["miwae"]) -> type[MIWAE]: ...
@overload
def estimator(recipe: Literal["piwae"]) -> type[PIWAE]: ...
@overload
def estimator(recipe: Literal["ciwae"]) -> type[CIWAE]: ...
@overload
def estimator(recipe: Literal["vamp"]) -> type[VAMP]: ...
@overload
def estimator(recipe: Literal["gmvae"]) -> type[GMVAE]: ...
@overload
def estimator(recipe: Literal["vae_linnf"]) -> type[VAE_LINNF]: ...
@overload
def estimator(recipe: Literal["vae_iaf"]) -> type[VAE_IAF]: ...
@overload
def estimator(recipe: Literal["laddervae"]) -> type[LADDERVAE]: ...
@overload
def estimator(recipe: Literal["swae"]) -> type[SWAE]: ...
@overload
def estimator(recipe: Literal["raegp"]) -> type[RAEGP]: ...
@overload
def estimator(recipe: Literal["pqvae"]) -> type[PQVAE]: ...
@overload
def estimator(recipe: Literal["crosscoder"]) -> type[models.Crosscoder]: ...
@overload
def estimator(recipe: Literal["concreteae"]) -> type[selection.ConcreteAE]: ...
@overload
def estimator(recipe: Literal["maskedae"]) -> type[MASKEDAE]: ...
@overload
def estimator(recipe: Literal["svae"]) -> type[SVAE]: ...
@overload
def estimator(recipe: Literal["poincarevae"]) -> type[POINCAREVAE]: ...
@overload
def estimator(recipe: Literal["hvae"]) -> type[HVAE]: ...
@overload
def estimator(recipe: Literal["tableae"]) -> type[tables.TableAE]: ...
@overload
def estimator(recipe: str) -> type[Estimator]:
    """Return the estimator class of a recipe. If narrows has no class for it, one is generated."""
