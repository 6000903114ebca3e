// Many points on a canvas by WebGL.
//
// The points are drawn into a texture larger than the canvas, and the canvas shows a part of it. A pan within the texture
// draws one rectangle, whatever the number of points, so that a machine without a GPU pans as smoothly as one with; the
// texture is drawn anew when the view leaves it, when its scale is another, and when the movement has ended.

import * as twgl from "./vendor/twgl.js";

/** @typedef {{x: number, y: number, scale: number}} View  what is at the centre, and CSS pixels a unit */

const WHOLE = 3; // the texture's width in canvases: a pan of a whole canvas to any side stays within it

const POINTS = [
  `#version 300 es
  in vec2 place; in vec4 colour;
  uniform vec4 frame; uniform float size;
  out vec4 ink;
  void main() {
    gl_Position = vec4((place - frame.xy) * frame.zw, 0.0, 1.0);
    gl_PointSize = size;
    ink = vec4(colour.rgb * colour.a, colour.a);
  }`,
  `#version 300 es
  precision highp float;
  in vec4 ink; uniform float size; out vec4 pixel;
  void main() {
    float edge = length(gl_PointCoord - 0.5);
    pixel = ink * (1.0 - smoothstep(0.5 - 1.0 / size, 0.5, edge));
  }`,
];

const SHEET = [
  `#version 300 es
  in vec2 corner; uniform vec4 part; out vec2 at;
  void main() {
    gl_Position = vec4(corner, 0.0, 1.0);
    at = part.xy + corner * part.zw;
  }`,
  `#version 300 es
  precision mediump float;
  in vec2 at; uniform sampler2D sheet; out vec4 pixel;
  void main() { pixel = all(lessThanEqual(abs(at - 0.5), vec2(0.5))) ? texture(sheet, at) : vec4(0.0); }`,
];

export class Points {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.n = 0;
    this.whole = WHOLE;
    /** @type {Float32Array} */ this.places = new Float32Array(0);
    /** @type {Uint8Array} */ this.colours = new Uint8Array(0);
    /** @type {View | null} */ this.drawn = null; // the view that the texture was drawn for
    this.gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, powerPreference: "high-performance" });
    if (this.gl) this.#prepare(this.gl);
    else this.pen = canvas.getContext("2d");
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      if (this.gl) this.#prepare(this.gl);
      this.set(this.places, this.colours);
      if (this.latest) this.draw(this.latest, false);
    });
  }

  /** @param {WebGL2RenderingContext} gl */
  #prepare(gl) {
    this.pointProgram = twgl.createProgramInfo(gl, POINTS);
    this.sheetProgram = twgl.createProgramInfo(gl, SHEET);
    this.corners = twgl.createBufferInfoFromArrays(gl, { corner: { numComponents: 2, data: [-1, -1, 1, -1, -1, 1, 1, 1] } });
    this.attachments = [{ format: gl.RGBA, minMag: gl.LINEAR, wrap: gl.CLAMP_TO_EDGE }];
    this.sheet = twgl.createFramebufferInfo(gl, this.attachments, 4, 4);
    twgl.bindFramebufferInfo(gl, null);
  }

  /** @param {Float32Array} places n x 2 @param {Uint8Array} colours n x 4, red, green, blue and opacity */
  set(places, colours) {
    this.places = places;
    this.colours = colours;
    this.n = places.length / 2;
    this.drawn = null;
    if (!this.gl) return;
    this.buffers = twgl.createBufferInfoFromArrays(this.gl, {
      place: { numComponents: 2, data: places },
      colour: { numComponents: 4, data: colours, normalize: true },
    });
  }

  /** @param {Uint8Array} colours */
  recolour(colours) {
    this.set(this.places, colours);
  }

  /** @param {View} view @param {boolean} moving whether more of this movement is to come
   * @param {number} [size] of a point, in CSS pixels */
  draw(view, moving, size = pointSize(this.n)) {
    const { canvas, gl } = this;
    this.latest = { ...view };
    const ratio = Math.min(devicePixelRatio, 2);
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      this.whole = gl ? Math.min(WHOLE, gl.getParameter(gl.MAX_TEXTURE_SIZE) / Math.max(width, height)) : 1;
      this.drawn = null;
    }
    if (!gl) return this.#flat(view, size, ratio);
    if (!this.buffers || !this.sheet || !this.sheetProgram || !this.corners || !this.attachments) return;
    if (!moving || !this.drawn || !this.#covers(view, ratio)) this.#render(gl, view, width, height, ratio, size);
    const { drawn } = this;
    if (!drawn) return;
    // canvas corner c -> place -> texture coordinate
    const whole = this.whole;
    const zoom = drawn.scale / view.scale;
    const part = [
      0.5 + ((view.x - drawn.x) * drawn.scale * ratio) / (width * whole),
      0.5 + ((view.y - drawn.y) * drawn.scale * ratio) / (height * whole),
      (0.5 * zoom) / whole,
      (0.5 * zoom) / whole,
    ];
    twgl.bindFramebufferInfo(gl, null);
    gl.viewport(0, 0, width, height);
    gl.disable(gl.BLEND);
    gl.useProgram(this.sheetProgram.program);
    twgl.setBuffersAndAttributes(gl, this.sheetProgram, this.corners);
    twgl.setUniforms(this.sheetProgram, { part, sheet: this.sheet.attachments[0] });
    twgl.drawBufferInfo(gl, this.corners, gl.TRIANGLE_STRIP);
  }

  /** Whether the texture holds all of a view, and not much coarser. @param {View} view @param {number} ratio */
  #covers(view, ratio) {
    const { drawn, canvas } = this;
    if (!drawn || view.scale / drawn.scale > 2) return false;
    const spare = (/** @type {number} */ side) => (side / ratio / 2) * (this.whole / drawn.scale - 1 / view.scale);
    return Math.abs(view.x - drawn.x) <= spare(canvas.width) && Math.abs(view.y - drawn.y) <= spare(canvas.height);
  }

  /** @param {WebGL2RenderingContext} gl @param {View} view @param {number} width @param {number} height @param {number} ratio @param {number} size */
  #render(gl, view, width, height, ratio, size) {
    const { sheet, pointProgram, buffers, attachments } = this;
    if (!sheet || !pointProgram || !buffers || !attachments) return;
    const whole = this.whole;
    const [across, up] = [Math.floor(width * whole), Math.floor(height * whole)];
    if (sheet.width !== across || sheet.height !== up) twgl.resizeFramebufferInfo(gl, sheet, attachments, across, up);
    twgl.bindFramebufferInfo(gl, sheet);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(pointProgram.program);
    twgl.setBuffersAndAttributes(gl, pointProgram, buffers);
    const frame = [view.x, view.y, (2 * view.scale * ratio) / (width * whole), (2 * view.scale * ratio) / (height * whole)];
    twgl.setUniforms(pointProgram, { frame, size: size * ratio });
    if (this.n) twgl.drawBufferInfo(gl, buffers, gl.POINTS);
    this.drawn = { ...view };
  }

  /** Without WebGL: squares. @param {View} view @param {number} size @param {number} ratio */
  #flat(view, size, ratio) {
    const { pen, canvas, places, colours } = this;
    if (!pen) return;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < this.n; i++) {
      const x = ((places[2 * i] - view.x) * view.scale + canvas.clientWidth / 2) * ratio;
      const y = (canvas.clientHeight / 2 - (places[2 * i + 1] - view.y) * view.scale) * ratio;
      pen.fillStyle = `rgb(${colours[4 * i]} ${colours[4 * i + 1]} ${colours[4 * i + 2]} / ${colours[4 * i + 3] / 255})`;
      pen.fillRect(x - (size * ratio) / 2, y - (size * ratio) / 2, size * ratio, size * ratio);
    }
  }

  destroy() {
    this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** Fewer points are drawn larger. @param {number} n @returns {number} CSS pixels */
function pointSize(n) {
  return Math.min(9, Math.max(3, 13 - 2 * Math.log10(Math.max(1, n))));
}
