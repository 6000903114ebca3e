"""Networks for any schema: mlp, conv, and `auto`, which chooses one. They do not depend on autoencoders."""

from narrows.networks.base import Columns, Decoder, Encoder, LinearDecoder, Standardize
from narrows.networks.build import (
    NAMES,
    Name,
    OwnDecoder,
    OwnEncoder,
    build_decoder,
    build_denoiser,
    build_encoder,
    choose,
    has_own_parts,
    is_network,
    split_pair,
)
from narrows.networks.conv import ConvDecoder, ConvEncoder, UNet
from narrows.networks.denoiser import PhotoUNet
from narrows.networks.dictionary import REBUILT, FreeDictionary, UnitEncoder
from narrows.networks.grid import FinerGrid, GridDecoder, GridEncoder, Grids, find_grids
from narrows.networks.mlp import Dictionary, LinearSkip, MLPDecoder, MLPEncoder, ResidualMLP
from narrows.networks.table import LevelDecoder, TableEncoder
from narrows.networks.vit import PatchDecoder, PatchEncoder, PatchGrid, choose_patch_size

__all__ = [
    "NAMES",
    "REBUILT",
    "Columns",
    "ConvDecoder",
    "ConvEncoder",
    "Decoder",
    "Dictionary",
    "Encoder",
    "FinerGrid",
    "FreeDictionary",
    "GridDecoder",
    "GridEncoder",
    "Grids",
    "LevelDecoder",
    "LinearDecoder",
    "LinearSkip",
    "MLPDecoder",
    "MLPEncoder",
    "Name",
    "OwnDecoder",
    "OwnEncoder",
    "PatchDecoder",
    "PatchEncoder",
    "PatchGrid",
    "PhotoUNet",
    "ResidualMLP",
    "Standardize",
    "TableEncoder",
    "UNet",
    "UnitEncoder",
    "build_decoder",
    "build_denoiser",
    "build_encoder",
    "choose",
    "choose_patch_size",
    "find_grids",
    "has_own_parts",
    "is_network",
    "split_pair",
]
