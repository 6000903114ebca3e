// Requests of the map to the server.

/** @import {Binary, Colouring, Encoded, Example, Extent, Landmarks, MapSettings, Transport} from "../types" */

const GRID_SIZE = 24; // decoded examples along each side of the grid

export class MapRequests {
  /** @param {Transport} transport */
  constructor(transport) {
    this.transport = transport;
  }

  /** Request the place of every code. @param {MapSettings} settings @returns {Promise<Binary>} n x 2 */
  positions(settings) {
    return this.transport.binary("GET", `/api/map?${projectionQuery(settings)}`);
  }

  /** Request the places of the neighbour layout, if more than some steps are done. @param {number} after
   * @returns {Promise<{places: Float32Array, step: number, nSteps: number}>} no places if there are no newer ones */
  async neighbors(after) {
    const { data, headers } = await this.transport.binary("GET", `/api/map/neighbors?after=${after}`);
    const [step, nSteps] = (headers.steps ?? "").split(",").map(Number);
    return { places: /** @type {Float32Array} */ (data), step, nSteps };
  }

  /** Request the names on the map. @param {MapSettings} settings @returns {Promise<Landmarks>} */
  names(settings) {
    const { layout, colourBy } = settings;
    return this.transport.json(
      "GET",
      `/api/map/names?${projectionQuery(settings)}&layout=${layout}&by=${encodeURIComponent(colourBy)}`,
    );
  }

  /** Request the list of the quantities that filter. @param {MapSettings} settings @returns {Promise<Colouring[]>} */
  filters(settings) {
    return this.transport.json("GET", `/api/map/columns?${projectionQuery(settings)}&layout=${settings.layout}`);
  }

  /** Request the list of colourings. @returns {Promise<Colouring[]>} */
  colourings() {
    return this.transport.json("GET", "/api/map/colours");
  }

  /** Request the value that a colouring shows for every row. @param {string} by @returns {Promise<Binary>} n */
  colourValues(by) {
    return this.transport.binary("GET", `/api/map/colour?by=${encodeURIComponent(by)}`);
  }

  /** Request one example. @param {number} row @returns {Promise<{example: Example, label: string | null}>} */
  example(row) {
    return this.transport.json("GET", `/api/data/${row}`);
  }

  /** Request the codes of rows. @param {number[]} rows @returns {Promise<Float32Array>} rows x n_components */
  async codes(rows) {
    const { data } = await this.transport.binary("GET", `/api/codes?rows=${rows.join(",")}`);
    return /** @type {Float32Array} */ (data);
  }

  /** Request a picture of decoded examples. @param {MapSettings} settings @param {Extent} extent
   * @returns {Promise<string>} */
  gridUrl(settings, extent) {
    const sides = Object.entries(extent).map(([side, value]) => `${side}=${value}`);
    return this.transport.pictureUrl(
      `/api/map/manifold?${projectionQuery(settings)}&${sides.join("&")}&size=${GRID_SIZE}`,
    );
  }
}

/** @param {MapSettings} settings */
function projectionQuery({ x, y, projection }) {
  return `x=${x}&y=${y}&projection=${projection}`;
}
