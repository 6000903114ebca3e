"""Messages between server and page: one class for each response or request body.

Messages of a single panel are defined beside its routes, in `routes`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from narrows.studio.cells import Kind
from narrows.studio.view import MAX_ABS_CODE

MAX_SECONDS = 86_400  # of a training: a day
Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-MAX_ABS_CODE, le=MAX_ABS_CODE, allow_inf_nan=False)]  # a number of a code
Index = Annotated[int, Field(ge=0, le=2**31 - 1)]
Picture = Annotated[str, Field(description="A data URI of a PNG.")]
Panel = Literal["dials", "fill", "map", "clean", "units", "outliers", "search", "report"]


class Body(BaseModel):
    """Body of a request. Unknown fields are refused, and types are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(BaseModel):
    """Error message, one sentence."""

    detail: str


class Health(BaseModel):
    """Sign that the server is running."""

    status: Literal["ok"]


class Example(BaseModel):
    """An example: the picture of an image, the values of a vector or a series, or the cells of a row of a table.

    A series has the values of all channels at the first step, then those at the second one, and so on. A cell is a
    number as `CellColumn` says, or null if it is missing. `probs` holds the probability of each level that the model
    decoded, and null for numbers; it is null for rows of the data. `true_probs` holds the probability of each level
    that the row had, if that is known.
    """

    picture: Picture | None = None
    values: list[Finite | None] | None = None
    probs: list[Finite | None] | None = None
    true_probs: list[Finite | None] | None = None


# The state


class CellColumn(BaseModel):
    """A column of a table or a vector, or a channel of a series, and its own scale.

    A cell holds the number of a level if there are `levels` (a larger one is a value that the model has not seen),
    seconds for a duration and, since 1970, for a date. The place of a number on the column's scale is
    (t((x - offset) / scale) - mean) / std, where t is asinh for "heavy_tailed", log(1 + x) for "count", and the
    identity for other kinds. Values of the kind "unit" lie between offset and offset + scale. `frequencies` holds the
    share of each level in training.
    """

    name: str
    kind: str
    levels: list[str] | None
    frequencies: list[Finite] | None
    offset: Finite
    scale: Finite
    mean: Finite
    std: Finite
    step: Finite


class FindingEntry(BaseModel):
    """A finding about a model, and the parameters that mend it: as values, and as Python."""

    name: str
    is_well: bool
    message: str
    change: dict[str, Any]
    setting: str


class ModelState(BaseModel):
    """The model that is shown.

    `job` is the training on this page that made it. `more_seconds` is how long it can go on; null if it cannot.
    """

    name: str
    recipe: str
    title: str
    summary: str
    kind: Kind
    shape: list[int]
    columns: list[str] | None
    cells: list[CellColumn] | None
    n_components: int
    has_code: bool
    decodes_codes: bool
    stochastic: bool
    sparse: bool
    can: list[Panel]
    low: Finite | None
    high: Finite | None
    noises: list[str]
    noise: str
    description: str
    report: list[str]
    verdict: str
    findings: list[FindingEntry]
    job: str | None
    more_seconds: Finite | None
    path: str | None
    saved: bool
    python: str
    command: str
    classes: list[str] | None
    class_: str | None


class DataState(BaseModel):
    """The examples that are shown."""

    name: str
    n: int
    total: int
    labels: bool
    classes: list[str] | None
    columns: list[str] | None
    description: str


class ModelEntry(BaseModel):
    """A model of this session.

    `path` is its folder, if it has one. `owned` is true if the folder goes when the model is deleted.
    """

    id: str
    name: str
    recipe: str
    current: bool
    saved: bool
    data: str | None
    n_components: int
    path: str | None
    owned: bool


class DatasetEntry(BaseModel):
    """A named data set on this machine."""

    name: str
    summary: str
    n: int


class ParameterEntry(BaseModel):
    """A parameter of a recipe."""

    name: str
    default: Any
    help: str
    must_be: str


class RecipeEntry(BaseModel):
    """A recipe that can be trained."""

    name: str
    summary: str
    tabular: bool
    parameters: list[ParameterEntry]


class Limits(BaseModel):
    """Limits of requests."""

    upload_bytes: int
    dials: int
    rows: int


class State(BaseModel):
    """Everything that the page needs at its start. `keeps` is true if models are kept when the studio stops."""

    version: int
    instance: str
    narrows: str
    model: ModelState | None
    data: DataState | None
    training: str | None
    keeps: bool
    models: list[ModelEntry]
    deleted: list[ModelEntry]
    datasets: list[DatasetEntry]
    recipes: list[RecipeEntry]
    limits: Limits


# Dials


class DialEntry(BaseModel):
    """A component of the code as a slider."""

    component: int
    label: str
    carries: Finite
    used: bool
    low: Finite
    high: Finite
    mean: Finite
    step: Finite
    columns: list[int]


class Dials(BaseModel):
    """Sliders, sorted by the information or variance that they carry."""

    unit: Literal["nats", "share"]
    total: int
    dials: list[DialEntry]


class DecodeRequest(Body):
    """Codes to decode."""

    codes: Annotated[
        list[Annotated[list[Number], Field(min_length=1, max_length=1_000_000)]], Field(min_length=1, max_length=256)
    ]
    format: Literal["raw", "png", "json"] = "raw"
    scale: Annotated[int, Field(ge=1, le=32)] = 1


class DecodedExamples(BaseModel):
    """Decoded examples."""

    examples: list[Example]


class EncodeRow(Body):
    """A row of the data to encode."""

    row: Index


class EncodeValues(Body):
    """Values of an example to encode."""

    values: Annotated[list[Number], Field(min_length=1, max_length=100_000)]


class EncodeCells(Body):
    """Cells of a row of a table to encode, by column; columns that are left out are missing."""

    cells: Annotated[
        dict[Annotated[str, Field(max_length=1000)], Annotated[str, Field(max_length=10_000)] | Finite | bool | None],
        Field(min_length=1, max_length=100_000),
    ]


class EncodedExample(BaseModel):
    """An example, its code, and its reconstruction."""

    code: list[Finite]
    example: Example
    reconstruction: Example


class RandomCode(BaseModel):
    """A random code, and the seed that it was drawn with."""

    code: list[Finite]
    seed: int


# Training


class ClassName(Body):
    """A class of a conditional model."""

    name: Annotated[str, Field(max_length=1000)]


class DatasetName(Body):
    """A named data set."""

    name: Annotated[str, Field(max_length=100)]


class ColumnEntry(BaseModel):
    """A column of an upload. A model can use it as one of `kinds`; `problem` says why it cannot as it is."""

    name: str
    kind: str
    kinds: list[str]
    use: bool
    description: str
    problem: str | None
    missing: int
    distinct: int
    examples: list[str]


class LikelihoodEntry(BaseModel):
    """A likelihood that can be chosen. All columns must be of its `kinds`; null takes any."""

    name: str
    help: str
    kinds: list[str] | None


class SuggestedSettings(BaseModel):
    """Suggested settings of a training."""

    recipe: str
    n_components: int | None
    max_time: Finite
    likelihood: str
    label: str | None


class Preview(BaseModel):
    """The first images or rows of an upload."""

    sheet: Picture | None
    rows: list[list[str]] | None


class UploadState(BaseModel):
    """An upload, and the schema that was inferred from it."""

    id: str
    name: str
    bytes: int
    n: int
    kind: Kind
    description: str
    shape: list[int]
    support: Literal["binary", "unit", "real", "count", "mixed"]
    labels: bool
    classes: list[str] | None
    notes: list[str]
    columns: list[ColumnEntry] | None
    likelihoods: list[LikelihoodEntry]
    suggested: SuggestedSettings
    preview: Preview


class TrainingRequest(Body):
    """Settings of a training."""

    upload: Annotated[str, Field(max_length=32)]
    recipe: Annotated[str, Field(max_length=64)]
    n_components: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_time: Annotated[float, Field(ge=1, le=MAX_SECONDS, allow_inf_nan=False)] = 60.0
    max_epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    likelihood: Annotated[str, Field(max_length=64)] = "auto"
    columns: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100_000)] | None = None
    kinds: (
        Annotated[
            dict[Annotated[str, Field(max_length=1000)], Annotated[str, Field(max_length=64)]],
            Field(max_length=100_000),
        ]
        | None
    ) = None
    label: Annotated[str, Field(max_length=1000)] | None = None
    name: Annotated[str, Field(max_length=100)] | None = None
    parameters: Annotated[dict[Annotated[str, Field(max_length=64)], Any], Field(max_length=50)] = {}


class AgainRequest(Body):
    """A request to repeat a training: with other parameters, or for longer, from its present weights."""

    change: Annotated[dict[Annotated[str, Field(max_length=64)], Any], Field(max_length=50)] = {}
    more_seconds: Annotated[float, Field(ge=1, le=MAX_SECONDS, allow_inf_nan=False)] | None = None


class JobState(BaseModel):
    """State of a training."""

    job: str
    status: Literal["starting", "training", "stopping", "done", "failed", "cancelled"]
    name: str
    recipe: str
    seconds: Finite
    share: Finite | None
    detail: str | None
