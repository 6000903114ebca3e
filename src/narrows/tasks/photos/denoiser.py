"""A blind denoiser for photos: a denoising autoencoder without a code, trained on pieces.

    x~ = x + s eps,  s ~ U(level)        loss = -log p(x | net(x~))

The network is not told the noise level s, and learns to see it (Zhang et al., DnCNN, 2017,
https://arxiv.org/abs/1608.03981). What is new in each method is only what it is shown, and what it must give.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from narrows import bottlenecks, corruptions, recipes, storage
from narrows.data import Patches, Schema
from narrows.data.patches import schema
from narrows.estimators.signature import RANDOM_STATE, reset_fitted, seed_of_run, to_json
from narrows.likelihoods import Gaussian
from narrows.networks import PhotoUNet
from narrows.params import (
    BOOL,
    LAYER_WIDTHS,
    Integer,
    OneOf,
    Parameter,
    Real,
    Satisfies,
    did_you_mean,
    either,
    parameters,
)
from narrows.tasks.photos import images as photos
from narrows.tasks.photos.tiles import Tiles
from narrows.training import PRECISIONS, Interrupted, Settings, checkpoint, choose_device, seeded_init
from narrows.training import fit as train
from narrows.training.parallel import join
from narrows.version import __version__

_AUTO = OneOf(("auto",))
_WIDTHS = Satisfies("a sequence of at least one int of at least 1", lambda v: LAYER_WIDTHS.accepts(v) and len(v) > 0)
_LEVEL = (0.0, 55 / 255)  # of the noise that clean images get, as the field has it
_SHARPEST = 2 / 255  # error of a piece, under which it no longer counts for more: nothing of it is seen
_SMALLEST = 8  # pixels of a side to learn from
_HASHED_BYTES = 64 << 20
NAME = "photo_denoiser"  # in recipe.json


class PhotoDenoiser(BaseEstimator):
    """Cleans grey and colour photos of any size, whatever the level of their noise.

    It learns from clean photos, to which it adds Gaussian noise itself; from noisy ones with their clean partners; or
    from noisy ones alone.

    Parameters
    ----------
    method : what `fit` is given:

        - "clean": clean photos (or pairs, if it is given two sets);
        - "recorrupt": noisy photos alone, whose noise is nearly Gaussian and independent between pixels;
        - "blind_spot": noisy photos alone, whose noise is independent between pixels, and else of any kind. Its
          results are coarser.
    level : noise on the [0, 1] scale. "clean": what is added, one number or (low, high), "auto" for (0, 55/255).
        "recorrupt": what the photos have, "auto" to estimate it for each.
    widths, blocks : of the network, see `narrows.networks.PhotoUNet`.
    patch_size : pixels of a piece's side.
    batch_size : pieces of a step. In a training of a few minutes 16 are quicker, where targets are clean.
    learning_rate, max_epochs, max_time, device, precision, compile, checkpoint, random_state, verbose :
        as in the estimators. An epoch has as many pieces as would cover the photos once.

    Attributes
    ----------
    model_ : Autoencoder without a code, trained.
    channels_ : 1 for a grey model, 3 for one of colour.
    levels_ : list of float, the noise levels of the photos fitted on; for "recorrupt".
    history_, report_, n_iter_ : as in the estimators.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows.tasks import PhotoDenoiser
    >>> photos = [np.full((40, 60), 90, np.uint8), np.full((50, 32), 160, np.uint8)]
    >>> model = PhotoDenoiser(widths=(8,), blocks=1, patch_size=16, max_epochs=1, random_state=0).fit(photos)
    >>> model.denoise(photos[0]).shape
    (40, 60)
    """

    def __init__(
        self,
        method: Annotated[str, OneOf(("clean", "recorrupt", "blind_spot"))] = "clean",
        *,
        level: Annotated[
            float | tuple[float, float] | Literal["auto"], either(get_args(recipes.Level)[1], _AUTO)
        ] = "auto",
        widths: Annotated[Sequence[int], _WIDTHS] = (64, 128, 256),
        blocks: Annotated[int, Integer(1)] = 2,
        patch_size: Annotated[int, Integer(_SMALLEST)] = 64,
        batch_size: Annotated[int, Integer(1)] = 64,
        learning_rate: Annotated[float, Real(0, open_low=True)] = 5e-4,
        max_epochs: Annotated[int | Literal["auto"], either(Integer(1), _AUTO)] = "auto",
        max_time: Annotated[float | None, either(Real(0, open_low=True), OneOf((None,)))] = None,
        device: Annotated[str, Satisfies("a device's name", lambda v: isinstance(v, str))] = "auto",
        precision: Annotated[str, OneOf(PRECISIONS)] = "auto",
        compile: Annotated[bool | Literal["auto"], either(BOOL, _AUTO)] = "auto",
        checkpoint: Annotated[
            str | Path | None, Satisfies("a folder's path or None", lambda v: v is None or isinstance(v, (str, Path)))
        ] = None,
        random_state: Annotated[int | np.random.RandomState | np.random.Generator | None, RANDOM_STATE] = None,
        verbose: Annotated[int, Integer(0)] = 0,
    ) -> None:
        self.method, self.level = method, level
        self.widths, self.blocks, self.patch_size, self.batch_size = widths, blocks, patch_size, batch_size
        self.learning_rate, self.max_epochs, self.max_time = learning_rate, max_epochs, max_time
        self.device, self.precision, self.compile = device, precision, compile
        self.checkpoint, self.random_state, self.verbose = checkpoint, random_state, verbose

    # ---------------------------------------------------------------------------------------------- learning

    def fit(self, X: Any, y: Any = None) -> PhotoDenoiser:
        """Learn from photos.

        Parameters
        ----------
        X : a folder, a list of arrays (h, w) or (h, w, 3) of any sizes, or one array (n, h, w) or (n, h, w, 3). Bytes
            and 16-bit integers are taken from black to white, floats as being in [0, 1] but for noise. Memory maps are
            not read whole. Photos smaller than `patch_size` are mirrored at their edges.
        y : the clean partners of X, if X is noisy: as many, of the same sizes.

        Raises
        ------
        ValueError, TypeError, OSError
            If a parameter or X is not what it must be.
        KeyboardInterrupt
            On Ctrl-C; the model then holds what it has learned so far and can be used.
        """
        reset_fitted(self)
        patches = self._patches(X, y)
        if join(self.device).size > 1:
            raise ValueError(f"{type(self).__name__} trains in one process. Start it without torchrun.")
        seed = seed_of_run(self.random_state, self.checkpoint)
        settings = Settings(
            batch_size=self.batch_size,
            optimizer="muon",
            learning_rate=self.learning_rate,
            weight_decay=0.0,  # the noise is another in each step already
            max_epochs=self.max_epochs,
            max_time=self.max_time,
            early_stopping=False,
            device=self.device,
            precision=self.precision,
            compile=self.compile,
            seed=seed,
            verbose=self.verbose,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
        )
        parts = self._assemble(patches.schema, seed, paired=y is not None)
        stopped: Interrupted | None = None
        try:
            result = train(
                parts.model,
                parts.objective,
                patches,
                patches.schema,
                settings,
                title=type(self).__name__,
                fingerprint=self._fingerprint(patches, seed) if self.checkpoint is not None else "",
            )
        except Interrupted as interrupted:
            stopped, result = interrupted, interrupted.result
        self.model_, self.channels_ = parts.model, patches.schema.shape[0]
        self.history_, self.n_iter_ = result.history, result.n_epochs
        self.report_ = [*map(str, result.choices), *result.notes]
        if self.method == "recorrupt" and self.level == "auto":
            self.report_.insert(0, f"level = {np.mean(self.levels_):.4f}: estimated, the mean over the photos")
        if stopped is not None:
            raise stopped
        return self

    def _patches(self, X: Any, y: Any) -> Patches:
        owner = type(self).__name__
        for name, parameter in parameters(type(self).__init__).items():
            parameter.check(owner, getattr(self, name))
        step = 2 ** len(self.widths)
        if self.patch_size % step:
            raise ValueError(
                f"The `patch_size` of {owner} must be a multiple of {step}, because of its {len(self.widths)} levels. "
                f"Got {self.patch_size}."
            )
        if y is not None and self.method != "clean":
            raise ValueError(f"{owner} with method={self.method!r} learns from X alone. Leave `y` out.")
        shown = photos.read(X, owner)
        partners = None if y is None else photos.read(y, owner)
        photos.check_partners(shown, partners, owner)
        channels = max(photos.channels(image) for image in [*shown, *(partners or [])])
        if self.method == "recorrupt":
            if isinstance(self.level, (tuple, list)):
                raise ValueError(f'The `level` of {owner} must be one number or "auto" where photos are noisy.')
            self.levels_ = [photos.noise_level(image) if self.level == "auto" else float(self.level) for image in shown]
        ready = [photos.prepared(image, channels, self.patch_size) for image in shown]
        clean = partners and [photos.prepared(image, channels, self.patch_size) for image in partners]
        return Patches(ready, self.patch_size, clean, getattr(self, "levels_", None))

    def _assemble(self, schema: Schema, seed: int, paired: bool) -> recipes.Parts:
        corruption: corruptions.Corruption = corruptions.Nothing()
        if self.method == "blind_spot":
            corruption = corruptions.BlindSpot()
        elif self.method == "clean" and not paired:
            corruption = corruptions.GaussianNoise(_LEVEL if self.level == "auto" else self.level)
        with seeded_init(seed):
            network = PhotoUNet(schema.shape[0], self.widths, self.blocks)
        parts = recipes.assemble(schema, bottlenecks.Plain(0), corruption=corruption, network=network)
        if self.method == "clean":  # noisy targets all have the scale of their noise
            parts.model.likelihood = Gaussian(each=_SHARPEST)
        return parts

    def _fingerprint(self, patches: Patches, seed: int) -> str:
        """Of all that the weights depend on."""
        free = ("verbose", "checkpoint", "device", "random_state", "max_time")
        values = {k: to_json(v) for k, v in self.get_params(deep=False).items() if k not in free}
        shapes = [(image.shape, str(image.dtype)) for image in patches.images]
        digest = hashlib.sha256(json.dumps([__version__, NAME, values, seed, shapes]).encode())
        for images in (patches.images, patches.targets or ()):
            for image in images:
                every = max(1, image.nbytes * len(images) // _HASHED_BYTES)
                digest.update(np.ascontiguousarray(image[:, ::every]).data)
        return digest.hexdigest()

    # ---------------------------------------------------------------------------------------------- applying

    def denoise(self, X: Any, *, ensemble: bool = False, out: np.ndarray | None = None) -> Any:
        """Clean X: one photo or several, in their form and dtype.

        Parameters
        ----------
        X : an array (h, w) or (h, w, c), or a list of such or an array (n, h, w) or (n, h, w, c). An array in a memory
            map is read and cleaned tile by tile, and may be larger than memory.
        ensemble : whether to average over the photo's eight flips and turns, which takes eight times as long.
        out : the array to fill, for one photo; such as a memory map.

        Raises
        ------
        ValueError, TypeError
            If X is not what it must be.
        """
        check_is_fitted(self, "model_")
        Parameter("ensemble", False, BOOL, "").check("denoise", ensemble)
        owner = type(self).__name__
        if isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and not photos.is_one(X)):
            if out is not None:
                raise ValueError("The `out` parameter of denoise must be None where X holds several photos.")
            cleaned = [self.denoise(image, ensemble=ensemble) for image in X]
            return cleaned if isinstance(X, (list, tuple)) else np.stack(cleaned)
        photos.check(X, owner)
        device, _ = choose_device(self.device)
        return Tiles(self.model_.to(device).eval(), self.channels_, ensemble).clean(X, out)

    def denoise_files(self, X: str | Path, out: str | Path, *, ensemble: bool = False) -> list[Path]:
        """Clean the photos of a folder (with its sub-folders) or one photo; each keeps name, mode and metadata.

        Parameters
        ----------
        X : a folder of photos, or a photo; or a .npy file with one, which may be larger than memory.
        out : a folder, made if it is not there; files in it that have these names are replaced. For a .npy file
            another such.

        Returns
        -------
        The files written.

        Raises
        ------
        ValueError
            If some of the photos cannot be read or kept as they are; the others are written all the same.
        """
        from narrows.tasks.photos.files import clean_files

        check_is_fitted(self, "model_")
        return clean_files(self, Path(X).expanduser(), Path(out).expanduser(), ensemble=ensemble)

    # ---------------------------------------------------------------------------------------------- keeping

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into `folder`: recipe.json, weights.safetensors and a model card.

        A checkpoint that lies there is removed.
        """
        check_is_fitted(self, "model_")
        recipe = {
            "narrows": __version__,
            "recipe": NAME,
            "parameters": {name: to_json(value) for name, value in self.get_params(deep=False).items()},
            "schema": schema(self.channels_, self.patch_size).to_dict(),
            "fitted": {
                "channels_": self.channels_,
                "n_iter_": self.n_iter_,
                "history_": self.history_,
                "report_": self.report_,
                **({"levels_": self.levels_} if hasattr(self, "levels_") else {}),
            },
        }
        storage.write(Path(folder), recipe, dict(self.model_.state_dict(prefix="model.")), self._card())
        (Path(folder) / checkpoint.NAME).unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> PhotoDenoiser:
        """The denoiser saved in `folder`, to compute on `device`.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no whole model of a known format, or one of another kind.
        """
        recipe, tensors = storage.read(Path(folder))
        if recipe["recipe"] != NAME:
            raise ValueError(
                f"The model in {folder} is no {cls.__name__}, it is of the recipe {recipe['recipe']!r}. Load it with "
                "narrows.load."
            )
        known = parameters(cls.__init__)
        unknown = sorted(set(recipe["parameters"]) - set(known))
        if unknown:
            raise ValueError(
                f"{folder}: {cls.__name__} has no parameter {unknown[0]!r}. {did_you_mean(unknown[0], known)}"
            )
        model = cls(**{**recipe["parameters"], "device": device})
        model.widths = tuple(model.widths)
        parts = model._assemble(Schema.from_dict(recipe["schema"]), 0, paired=False)
        state = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
        try:
            parts.model.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"The weights in {folder} do not fit its recipe: {error}") from error
        model.model_ = parts.model.eval()
        for name, value in recipe["fitted"].items():
            setattr(model, name, value)
        return model

    def _card(self) -> str:
        decisions = "\n".join(f"- {line}" for line in self.report_)
        kind = "grey photos" if self.channels_ == 1 else "colour photos"
        return (
            f"# {type(self).__name__}\n\nCleans {kind} of any size. Made by narrows {__version__}. Load it with\n\n"
            '```python\nfrom narrows.tasks import PhotoDenoiser\n\nmodel = PhotoDenoiser.load("FOLDER")\n```\n\n'
            f"## What was decided, and why\n\n{decisions}\n"
        )
