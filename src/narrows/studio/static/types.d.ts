// Messages between the server and the page.
export interface Example {
  picture: string | null; values: (number | null)[] | null; probs?: (number | null)[] | null; true_probs?: (number | null)[] | null;
}
export interface CellColumn {
  name: string; kind: string; levels: string[] | null; frequencies: number[] | null; offset: number; scale: number; mean: number;
  std: number; step: number;
}
export interface Model {
  name: string; recipe: string; title: string; summary: string; kind: "image" | "series" | "vector" | "table"; shape: number[];
  columns: string[] | null; cells: CellColumn[] | null; n_components: number; has_code: boolean;
  decodes_codes: boolean; stochastic: boolean; sparse: boolean; can: string[];
  low: number | null; high: number | null; noises: string[]; noise: string; description: string; report: string[];
  verdict: string; findings: Finding[]; job: string | null; more_seconds: number | null;
  classes: string[] | null; class_: string | null; path: string | null; saved: boolean; python: string; command: string;
}
export interface Finding { name: string; is_well: boolean; message: string; change: Record<string, unknown>; setting: string }
export interface ModelEntry {
  id: string; name: string; recipe: string; current: boolean; saved: boolean; data: string | null; n_components: number;
  path: string | null; owned: boolean;
}
export interface Data {
  name: string; n: number; total: number; labels: boolean; classes: string[] | null; columns: string[] | null; description: string;
}
export interface Parameter { name: string; default: unknown; help: string; must_be: string }
export interface Recipe { name: string; summary: string; tabular: boolean; parameters: Parameter[] }
export interface State {
  version: number; instance: string; narrows: string; model: Model | null; data: Data | null; training: string | null;
  keeps: boolean; models: ModelEntry[]; deleted: ModelEntry[];
  datasets: { name: string; summary: string; n: number }[];
  recipes: Recipe[]; limits: { upload_bytes: number; dials: number; rows: number };
}
export interface Dial {
  component: number; label: string; carries: number; used: boolean; low: number; high: number; mean: number; step: number;
  columns: number[];
}
// The form of a row: its columns, and the distribution of each cell.
export interface FormColumn {
  n_choices: number; edges: number[] | null; values: number[] | null; ticks: number[] | null; share: number[];
}
export interface Prediction {
  column: number; best: number; low: number | null; high: number | null; levels: number[] | null; probs: number[];
  gap: number | null;
}
export interface Encoded { code: number[]; reconstruction: Example; example: Example }
export interface Unit {
  unit: number; name: string; label: string | null; rate: number; strength: number; highest: number; top: number[]; effect: string;
  activation?: number;
}
export interface Column {
  name: string; kind: string; kinds: string[]; use: boolean; description: string; problem: string | null; missing: number;
  distinct: number; examples: string[];
}
export interface Upload {
  id: string; name: string; bytes: number; n: number; kind: "image" | "series" | "vector" | "table"; description: string; shape: number[];
  support: string; labels: boolean; classes: string[] | null; notes: string[]; columns: Column[] | null;
  likelihoods: { name: string; help: string; kinds: string[] | null }[]; // null takes all kinds of columns
  suggested: { recipe: string; n_components: number | null; max_time: number; likelihood: string; label: string | null };
  preview: { sheet: string | null; rows: string[][] | null };
}
export interface Colouring { by: string; title: string; kind: "category" | "number" | "date"; categories: string[] | null }
export interface MapSettings {
  layout: "axes" | "neighbors"; projection: "components" | "pca"; x: number; y: number; colourBy: string;
}
// Names on the map, each at a row.
export interface Landmark { name: string; row: number }
export interface Landmarks { classes: Landmark[]; clusters: Landmark[] }
export interface Extent { left: number; right: number; bottom: number; top: number }
export interface Job {
  job: string; status: "starting" | "training" | "stopping" | "done" | "failed" | "cancelled"; name: string; recipe: string;
  seconds: number; share: number | null; detail: string | null;
}
export interface TrainRequest {
  upload: string; recipe: string; n_components: number | null; max_time: number; likelihood: string;
  columns: string[] | null; kinds: Record<string, string> | null; label: string | null; name: string | null; parameters: Record<string, unknown>;
}
// Events of a training.
export interface HistoryRow { seconds: number; epoch?: number; step?: number; loss?: number | null; valid_loss?: number | null }
export interface Progress { step: number; n_steps: number; share: number; seconds: number; left: number | null }
export interface Sketch {
  kind: Model["kind"]; original: Example[]; cells: CellColumn[] | null; n_columns: number;
  pca: { reconstruction: Example[]; loss: number | null; n_components: number } | null;
}
export interface CleanResult {
  original: Example | null; noisy: Example; clean: Example; psnr_noisy: number | null; psnr_clean: number | null;
  method: string;
}
export interface Outlier {
  row: number; score: number; outlier: boolean; label: string | null; reasons: { name: string; column: number; share: number }[];
}
export interface Outliers { threshold: number; n_outliers: number; shares: string; rows: Outlier[] }
export interface Contribution {
  name: string; column: number; value: number | null; expected: number | null; prob: number | null; nats: number;
}
export interface OutlierDetail {
  score: number; threshold: number; outlier: boolean; example: Example; expected: Example; heat: string | null;
  contributions: Contribution[] | null;
}
// An answer that holds numbers or bytes.
export interface Binary {
  shape: number[]; data: Uint8Array | Float32Array | Float64Array; headers: { explained?: string; low?: string; high?: string; steps?: string };
}
export type DecodeCallback = (result: Uint8Array | Float32Array | Float64Array) => void;
// Requests to the server: over HTTP in transport.js, over the widget's messages in a notebook.
export interface Transport {
  json(method: string, path: string, body?: unknown): Promise<any>;
  binary(method: string, path: string, body?: unknown): Promise<Binary>;
  pictureUrl(path: string): Promise<string>;
  // Decode a code. If several codes of a callback wait, only the latest is sent.
  decode(code: Float32Array, onResult: DecodeCallback): void;
  close(): void;
}
// Shared by all panels.
export interface App {
  transport: Transport; state: State; code: import("./state.js").Code | null;
  go(panel: string, parameters?: Record<string, string>): void;
  reload(panel?: string): Promise<void>;
  // Listen to the events of a training. Returns a function that stops it; `onLost` is called if the job does not exist.
  listen(job: string, handlers: Record<string, (data: any) => void>, onLost: () => void): () => void;
}
// A panel, as the page shows it.
export interface Panel {
  element: HTMLElement;
  show?(parameters: Record<string, string>): void;
  hide?(): void;
  destroy?(): void;
}
