// Many points on a canvas, drawn with WebGL.
//
// The points are drawn into a texture larger than the canvas, and the canvas shows a part of it. A pan within the
// texture draws one rectangle, whatever the number of points, so it is smooth without a GPU, too. The texture is
// drawn again when the view leaves it, when the view is much closer, and when the movement has ended.

import * as twgl from "../vendor/twgl.js";

/** @typedef {{x: number, y: number, scale: number}} View  position at the centre, and CSS pixels a unit */

const TEXTURE_SIZE = 3; // width in canvases: a pan by one canvas to any side stays within the texture

const POINT_SHADERS = [
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

const TEXTURE_SHADERS = [
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
    this.textureSize = TEXTURE_SIZE; // in canvases, less if the GPU cannot hold as much
    /** @type {Float32Array} */ this.positions = new Float32Array(0);
    /** @type {Uint8Array} */ this.colours = new Uint8Array(0);
    /** @type {View | null} */ this.textureView = null; // what the texture holds
    this.gl = canvas.getContext("webgl2", {
      antialias: false,
      premultipliedAlpha: true,
      powerPreference: "high-performance",
    });
    if (this.gl) this.#prepare(this.gl);
    else this.context = canvas.getContext("2d");
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      if (this.gl) this.#prepare(this.gl);
      this.set(this.positions, this.colours);
      if (this.lastView) this.draw(this.lastView, false);
    });
  }

  /** @param {WebGL2RenderingContext} gl */
  #prepare(gl) {
    this.pointProgram = twgl.createProgramInfo(gl, POINT_SHADERS);
    this.textureProgram = twgl.createProgramInfo(gl, TEXTURE_SHADERS);
    this.corners = twgl.createBufferInfoFromArrays(gl, {
      corner: { numComponents: 2, data: [-1, -1, 1, -1, -1, 1, 1, 1] },
    });
    this.attachments = [{ format: gl.RGBA, minMag: gl.LINEAR, wrap: gl.CLAMP_TO_EDGE }];
    this.texture = twgl.createFramebufferInfo(gl, this.attachments, 4, 4);
    twgl.bindFramebufferInfo(gl, null);
  }

  /** @param {Float32Array} positions n x 2
   * @param {Uint8Array} colours n x 4, red, green, blue and opacity */
  set(positions, colours) {
    this.positions = positions;
    this.colours = colours;
    this.n = positions.length / 2;
    this.textureView = null;
    if (!this.gl) return;
    this.buffers = twgl.createBufferInfoFromArrays(this.gl, {
      place: { numComponents: 2, data: positions },
      colour: { numComponents: 4, data: colours, normalize: true },
    });
  }

  /** Draw what a view shows. @param {View} view @param {boolean} isMoving true while the view moves
   * @param {number} [size] of a point, CSS pixels */
  draw(view, isMoving, size = pointSize(this.n)) {
    const { canvas, gl } = this;
    this.lastView = { ...view };
    const ratio = Math.min(devicePixelRatio, 2);
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      this.textureSize = gl
        ? Math.min(TEXTURE_SIZE, gl.getParameter(gl.MAX_TEXTURE_SIZE) / Math.max(width, height))
        : 1;
      this.textureView = null;
    }
    if (!gl) return this.#drawWithoutWebGL(view, size, ratio);
    if (!this.buffers || !this.texture || !this.textureProgram || !this.corners || !this.attachments) return;
    if (!isMoving || !this.textureView || !this.#textureCovers(view, ratio))
      this.#renderTexture(gl, view, width, height, ratio, size);
    const { textureView } = this;
    if (!textureView) return;
    // canvas corner c -> place -> texture coordinate
    const multiple = this.textureSize;
    const zoom = textureView.scale / view.scale;
    const part = [
      0.5 + ((view.x - textureView.x) * textureView.scale * ratio) / (width * multiple),
      0.5 + ((view.y - textureView.y) * textureView.scale * ratio) / (height * multiple),
      (0.5 * zoom) / multiple,
      (0.5 * zoom) / multiple,
    ];
    twgl.bindFramebufferInfo(gl, null);
    gl.viewport(0, 0, width, height);
    gl.disable(gl.BLEND);
    gl.useProgram(this.textureProgram.program);
    twgl.setBuffersAndAttributes(gl, this.textureProgram, this.corners);
    twgl.setUniforms(this.textureProgram, { part, sheet: this.texture.attachments[0] });
    twgl.drawBufferInfo(gl, this.corners, gl.TRIANGLE_STRIP);
  }

  /** True if the texture holds all of a view, and is not much coarser. @param {View} view @param {number} ratio */
  #textureCovers(view, ratio) {
    const { textureView, canvas } = this;
    if (!textureView || view.scale / textureView.scale > 2) return false;
    const margin = (/** @type {number} */ side) =>
      (side / ratio / 2) * (this.textureSize / textureView.scale - 1 / view.scale);
    return (
      Math.abs(view.x - textureView.x) <= margin(canvas.width) &&
      Math.abs(view.y - textureView.y) <= margin(canvas.height)
    );
  }

  /** @param {WebGL2RenderingContext} gl @param {View} view @param {number} width @param {number} height
   * @param {number} ratio @param {number} size */
  #renderTexture(gl, view, width, height, ratio, size) {
    const { texture, pointProgram, buffers, attachments } = this;
    if (!texture || !pointProgram || !buffers || !attachments) return;
    const multiple = this.textureSize;
    const [across, up] = [Math.floor(width * multiple), Math.floor(height * multiple)];
    if (texture.width !== across || texture.height !== up)
      twgl.resizeFramebufferInfo(gl, texture, attachments, across, up);
    twgl.bindFramebufferInfo(gl, texture);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(pointProgram.program);
    twgl.setBuffersAndAttributes(gl, pointProgram, buffers);
    const frame = [
      view.x,
      view.y,
      (2 * view.scale * ratio) / (width * multiple),
      (2 * view.scale * ratio) / (height * multiple),
    ];
    twgl.setUniforms(pointProgram, { frame, size: size * ratio });
    if (this.n) twgl.drawBufferInfo(gl, buffers, gl.POINTS);
    this.textureView = { ...view };
  }

  /** Draw squares. @param {View} view @param {number} size @param {number} ratio */
  #drawWithoutWebGL(view, size, ratio) {
    const { context, canvas, positions, colours } = this;
    if (!context) return;
    context.clearRect(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < this.n; i++) {
      const x = ((positions[2 * i] - view.x) * view.scale + canvas.clientWidth / 2) * ratio;
      const y = (canvas.clientHeight / 2 - (positions[2 * i + 1] - view.y) * view.scale) * ratio;
      const [red, green, blue, opacity] = colours.subarray(4 * i, 4 * i + 4);
      context.fillStyle = `rgb(${red} ${green} ${blue} / ${opacity / 255})`;
      context.fillRect(x - (size * ratio) / 2, y - (size * ratio) / 2, size * ratio, size * ratio);
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
