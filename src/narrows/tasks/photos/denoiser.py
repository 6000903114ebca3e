"""`PhotoDenoiser`: a blind denoiser for photos, a denoising autoencoder without a code, trained on patches.

    x~ = x + s eps,  s ~ U(level)        loss = -log p(x | net(x~))

The noise level s is not an input of the network, which learns to recognise it (Zhang et al., DnCNN, 2017,
https://arxiv.org/abs/1608.03981). The methods differ only in the network's input and its target.
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
from narrows.tasks.photos import images
from narrows.tasks.photos.tiles import TiledDenoiser
from narrows.training import PRECISIONS, Interrupted, Settings, checkpoint, choose_device, find_overfitting, seeded_init
from narrows.training import fit as train
from narrows.training.interrupt import end_or_raise
from narrows.training.parallel import join
from narrows.training.progress import VERBOSITY, Verbosity
from narrows.version import __version__

_AUTO = OneOf(("auto",))
_WIDTHS = Satisfies("a sequence of at least one int of at least 1", lambda v: LAYER_WIDTHS.accepts(v) and len(v) > 0)
_DEFAULT_LEVEL = (0.0, 55 / 255)  # standard deviation of the added noise, the usual range of blind denoisers
# root mean squared error of a patch; smaller errors are invisible, and do not give a patch more weight
_MIN_ERROR = 2 / 255
_HASHED_BYTES = 64 << 20
NAME = "photo_denoiser"  # in recipe.json


class PhotoDenoiser(BaseEstimator):
    """Denoiser of grey and colour photos of any size and any noise level.

    It learns from clean photos, to which it adds Gaussian noise itself; from noisy photos with clean partners; or from
    noisy photos alone.

    Parameters
    ----------
    method : the photos that `fit` gets:

        - "clean": clean photos, or noisy photos and their clean partners;
        - "recorrupt": noisy photos alone, with noise that is nearly Gaussian and independent between pixels;
        - "blind_spot": noisy photos alone, with any noise that is independent between pixels. Results are less sharp.
    level : standard deviation of the noise on the [0, 1] scale. For "clean" the added noise: a number or (low, high);
        "auto" is (0, 55/255). For "recorrupt" the noise of the photos: a number; "auto" estimates it for each photo.
    widths, blocks : sizes of the network, see `narrows.networks.PhotoUNet`.
    patch_size : side of a patch in pixels, at least 8 and a multiple of 2 ** len(widths).
    batch_size : number of patches in a step. With clean targets, 16 is faster in a training of a few minutes.
    learning_rate, max_epochs, max_time, device, precision, compile, checkpoint, random_state, verbose :
        as in the estimators. An epoch has as many patches as cover the photos once.

    Attributes
    ----------
    model_ : the trained `Autoencoder`, which has no code.
    channels_ : int, 1 for a grey model, 3 for a colour model.
    levels_ : list of float, the noise level of each training photo on the [0, 1] scale; only for "recorrupt".
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
        patch_size: Annotated[int, Integer(images.MIN_SIDE)] = 64,
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
        verbose: Annotated[Verbosity, VERBOSITY] = "auto",
    ) -> None:
        self.method, self.level = method, level
        self.widths, self.blocks, self.patch_size, self.batch_size = widths, blocks, patch_size, batch_size
        self.learning_rate, self.max_epochs, self.max_time = learning_rate, max_epochs, max_time
        self.device, self.precision, self.compile = device, precision, compile
        self.checkpoint, self.random_state, self.verbose = checkpoint, random_state, verbose

    # ---------------------------------------------------------------------------------------------- training

    def fit(self, X: Any, y: Any = None) -> PhotoDenoiser:
        """Train on photos.

        Parameters
        ----------
        X : a folder, a list of arrays (h, w) or (h, w, 3) of any sizes, or one array (n, h, w) or (n, h, w, 3). Bytes
            and 16-bit integers go from black to white; floats are in [0, 1], except for noise. Memory maps are not read
            as a whole. Photos smaller than `patch_size` are mirrored at their edges.
        y : the clean partner of each noisy photo in X, of the same size; None if there are none.

        Raises
        ------
        ValueError
            If a parameter is outside its range, a photo has a wrong shape, dtype or scale, `y` does not match X, or
            several processes run (torchrun).
        TypeError
            If a photo is not an array.
        OSError
            If a file cannot be read.
        KeyboardInterrupt
            On Ctrl-C. The model then has the weights trained so far and can be used. In IPython `fit` warns and
            returns instead.
        """
        reset_fitted(self)
        patches = self._make_patches(X, y)
        if join(self.device).size > 1:
            raise ValueError(f"{type(self).__name__} trains in one process. Start it without torchrun.")
        seed = seed_of_run(self.random_state, self.checkpoint)
        settings = Settings(
            batch_size=self.batch_size,
            optimizer="muon",
            learning_rate=self.learning_rate,
            weight_decay=0.0,  # new noise in each step prevents overfitting
            max_epochs=self.max_epochs,
            max_time=self.max_time,
            early_stopping=False,
            device=self.device,
            precision=self.precision,
            compile=self.compile,
            seed=seed,
            verbose=self.verbose,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint).expanduser(),
        )
        parts = self._assemble(patches.schema, seed, paired=y is not None)
        interruption: Interrupted | None = None
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
            interruption, result = interrupted, interrupted.result
        self.model_, self.channels_ = parts.model, patches.schema.shape[0]
        self.history_, self.n_iter_ = result.history, result.n_epochs
        self.report_ = [*map(str, result.choices), *result.notes]
        if (epoch := find_overfitting(self.history_, patches.schema.n_entries)) is not None:
            self.report_.append(
                f"Over-fitting: the held-out loss was lowest after epoch {epoch}, whose weights are kept."
            )
        if self.method == "recorrupt" and self.level == "auto":
            self.report_.insert(0, f"level = {np.mean(self.levels_):.4f}: estimated, the mean over the photos")
        end_or_raise(interruption)
        return self

    def _make_patches(self, X: Any, y: Any) -> Patches:
        """Check all parameters and photos, and return the source of training patches."""
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
        inputs = images.read_photos(X, owner)
        partners = None if y is None else images.read_photos(y, owner)
        images.check_partners(inputs, partners, owner)
        channels = max(images.count_channels(image) for image in [*inputs, *(partners or [])])
        if self.method == "recorrupt":
            if isinstance(self.level, (tuple, list)):
                raise ValueError(f'The `level` of {owner} must be one number or "auto" where photos are noisy.')
            level = None if self.level == "auto" else float(self.level)
            self.levels_ = [images.estimate_noise_level(image) if level is None else level for image in inputs]
        photos = [images.prepare_photo(image, channels, self.patch_size) for image in inputs]
        targets = partners and [images.prepare_photo(image, channels, self.patch_size) for image in partners]
        return Patches(photos, self.patch_size, targets, getattr(self, "levels_", None))

    def _assemble(self, schema: Schema, seed: int, paired: bool) -> recipes.Parts:
        corruption: corruptions.Corruption = corruptions.Nothing()
        if self.method == "blind_spot":
            corruption = corruptions.BlindSpot()
        elif self.method == "clean" and not paired:
            corruption = corruptions.GaussianNoise(_DEFAULT_LEVEL if self.level == "auto" else self.level)
        with seeded_init(seed):
            network = PhotoUNet(schema.shape[0], self.widths, self.blocks)
        parts = recipes.assemble(schema, bottlenecks.Plain(0), corruption=corruption, network=network)
        if self.method == "clean":  # with noisy targets all errors have the scale of the noise
            parts.model.likelihood = Gaussian(each=_MIN_ERROR)
        return parts

    def _fingerprint(self, patches: Patches, seed: int) -> str:
        """Return a hash of everything that the weights depend on."""
        excluded = ("verbose", "checkpoint", "device", "random_state", "max_time")
        values = {k: to_json(v) for k, v in self.get_params(deep=False).items() if k not in excluded}
        shapes = [(image.shape, str(image.dtype)) for image in patches.images]
        digest = hashlib.sha256(json.dumps([__version__, NAME, values, seed, shapes]).encode())
        for photos in (patches.images, patches.targets or ()):
            for image in photos:
                every = max(1, image.nbytes * len(photos) // _HASHED_BYTES)
                digest.update(np.ascontiguousarray(image[:, ::every]).data)
        return digest.hexdigest()

    # ---------------------------------------------------------------------------------------------- denoising

    def denoise(self, X: Any, *, ensemble: bool = False, out: np.ndarray | None = None) -> Any:
        """Denoise one photo or several; the result has the form and the dtype of X.

        Parameters
        ----------
        X : a photo (h, w) or (h, w, c), a list of photos, or an array (n, h, w) or (n, h, w, c). A memory map is read
            and denoised tile by tile, and may be larger than memory.
        ensemble : True to average over the eight flips and rotations of the photo, which takes eight times as long.
        out : array for the result of one photo, of its shape and dtype, such as a memory map.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If a photo has a wrong shape, dtype or scale, or `out` does not match X or shares its memory.
        TypeError
            If a photo is not an array.
        """
        check_is_fitted(self, "model_")
        Parameter("ensemble", False, BOOL, "").check("denoise", ensemble)
        owner = type(self).__name__
        if isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and not images.is_single_photo(X)):
            if out is not None:
                raise ValueError("The `out` parameter of denoise must be None where X holds several photos.")
            cleaned = [self.denoise(image, ensemble=ensemble) for image in X]
            return cleaned if isinstance(X, (list, tuple)) else np.stack(cleaned)
        images.check_photo(X, owner)
        device, _ = choose_device(self.device)
        return TiledDenoiser(self.model_.to(device).eval(), self.channels_, ensemble).clean(X, out)

    def denoise_files(self, X: str | Path, out: str | Path, *, ensemble: bool = False) -> list[Path]:
        """Denoise the photos of a folder (with its sub-folders) or one photo; each keeps its name, mode and metadata.

        Parameters
        ----------
        X : a folder of photos, one photo, or a .npy file with one photo, which may be larger than memory.
        out : a folder, which is made if it does not exist; files of the same names in it are replaced. For a .npy file
            the name of another .npy file.
        ensemble : as in `denoise`.

        Returns
        -------
        list of Path, the files written.

        Raises
        ------
        NotFittedError
            Before `fit`.
        FileNotFoundError
            If X does not exist.
        ValueError
            If some photos cannot be read or saved in their own format. All others are written nevertheless.
        """
        from narrows.tasks.photos.files import clean_files

        check_is_fitted(self, "model_")
        return clean_files(self.denoise, Path(X).expanduser(), Path(out).expanduser(), ensemble=ensemble)

    # ---------------------------------------------------------------------------------------------- saving

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into `folder`: recipe.json, weights.safetensors and a model card.

        A checkpoint in `folder` is removed.

        Raises
        ------
        NotFittedError
            Before `fit`.
        OSError
            If `folder` is a file or cannot be written.
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
        (Path(folder).expanduser() / checkpoint.NAME).unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> PhotoDenoiser:
        """Return the denoiser that is saved in `folder`, to compute on `device`.

        Raises
        ------
        FileNotFoundError, ValueError
            If `folder` holds no complete denoiser of a known format.
        """
        recipe, tensors = storage.read(Path(folder))
        if recipe["recipe"] != NAME:
            raise ValueError(
                f"The model in {folder} is not a {cls.__name__}, but of the recipe {recipe['recipe']!r}. Load it with "
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
        """Return the text of the model card, README.md in the folder."""
        decisions = "\n".join(f"- {line}" for line in self.report_)
        kind = "grey photos" if self.channels_ == 1 else "colour photos"
        return (
            f"# {type(self).__name__}\n\nCleans {kind} of any size. Made by narrows {__version__}. Load it with\n\n"
            '```python\nfrom narrows.tasks import PhotoDenoiser\n\nmodel = PhotoDenoiser.load("FOLDER")\n```\n\n'
            f"## What was decided, and why\n\n{decisions}\n"
        )
