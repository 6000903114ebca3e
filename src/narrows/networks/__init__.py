"""Networks: mlp, conv, and `auto`, for any schema. They hold no opinions about autoencoders."""

from narrows.networks.base import Decoder, Standardize
from narrows.networks.build import (
    NAMES,
    Name,
    OwnDecoder,
    OwnEncoder,
    accepts,
    choose,
    cleaner,
    decoder,
    encoder,
    has_own_parts,
    pair,
)
from narrows.networks.conv import ConvDecoder, ConvEncoder, UNet
from narrows.networks.denoiser import PhotoUNet
from narrows.networks.mlp import Dictionary, MLPDecoder, MLPEncoder, ResidualMLP

__all__ = [
    "NAMES",
    "ConvDecoder",
    "ConvEncoder",
    "Decoder",
    "Dictionary",
    "MLPDecoder",
    "MLPEncoder",
    "Name",
    "OwnDecoder",
    "OwnEncoder",
    "PhotoUNet",
    "ResidualMLP",
    "Standardize",
    "UNet",
    "accepts",
    "choose",
    "cleaner",
    "decoder",
    "encoder",
    "has_own_parts",
    "pair",
]
