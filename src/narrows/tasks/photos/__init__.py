"""Photo denoising: a blind denoiser, trained on patches and applied to whole photos tile by tile."""

from narrows.tasks.photos.denoiser import PhotoDenoiser

__all__ = ["PhotoDenoiser"]
