"""Table of the named data sets: sizes, licences, sources and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NamedSet:
    """A named data set.

    Attributes
    ----------
    name : name to pass to `load`.
    summary : description in one line.
    n_train, n_test : numbers of examples in the splits.
    shape : shape of one example.
    licence : terms of use.
    source : authors, and the address of a description.
    files : gzipped IDX files (train images, train labels, test images, test labels), each with the SHA-256 of its
        unpacked bytes; empty for a set that comes with a library.
    url : public folder of `files`, with a slash at the end.
    system_folders : folders in which packages of operating systems install `files`.
    hint : another way to get the files, for the error when they cannot be downloaded.

    The SHA-256 is of the unpacked bytes, because Debian's package and many mirrors compress them differently.
    """

    name: str
    summary: str
    n_train: int
    n_test: int
    shape: tuple[int, ...]
    licence: str
    source: str
    files: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    system_folders: tuple[str, ...] = ()
    hint: str = ""


_SETS = (
    NamedSet(
        name="digits",
        summary="Handwritten digits, 8 x 8 grey, float32 in [0, 1]; comes with scikit-learn",
        n_train=1_437,
        n_test=360,
        shape=(8, 8),
        licence="CC BY 4.0",
        source="E. Alpaydin and C. Kaynak, https://archive.ics.uci.edu/dataset/80 (its test part)",
    ),
    NamedSet(
        name="mnist",
        summary="Handwritten digits, 28 x 28 grey, uint8",
        n_train=60_000,
        n_test=10_000,
        shape=(28, 28),
        licence="CC BY-SA 3.0",
        source="Y. LeCun, C. Cortes and C. J. C. Burges, http://yann.lecun.com/exdb/mnist/",
        # The MD5 sums of these bytes are 6bbc9ace..., a25bea73..., 2646ac64... and 27ae3e4e..., as widely published.
        files={
            "train-images-idx3-ubyte.gz": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte.gz": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte.gz": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte.gz": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    NamedSet(
        name="fashion-mnist",
        summary="Zalando's pieces of clothing, 28 x 28 grey, uint8",
        n_train=60_000,
        n_test=10_000,
        shape=(28, 28),
        licence="MIT",
        source="H. Xiao, K. Rasul and R. Vollgraf, https://github.com/zalandoresearch/fashion-mnist",
        files={
            "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        # The authors' address. Such an S3 host has no https, so the SHA-256 sums protect the download.
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        system_folders=("/usr/share/datasets/fashion-mnist",),
        hint="On Debian and Ubuntu, `apt install dataset-fashion-mnist` installs them.",
    ),
)
NAMES: dict[str, NamedSet] = {named.name: named for named in _SETS}
