"""Cleaning photos: a blind denoiser, trained on pieces and applied to whole images by tiles."""

from narrows.tasks.photos.denoiser import PhotoDenoiser

__all__ = ["PhotoDenoiser"]
