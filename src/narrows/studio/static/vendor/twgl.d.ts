// The part of twgl.js that points.js uses.
export interface ProgramInfo { program: WebGLProgram }
export interface BufferInfo { numElements: number; attribs?: Record<string, { buffer: WebGLBuffer }> }
export interface FramebufferInfo { framebuffer: WebGLFramebuffer; attachments: WebGLTexture[]; width: number; height: number }
export function createProgramInfo(gl: WebGL2RenderingContext, shaders: string[]): ProgramInfo;
export function createBufferInfoFromArrays(gl: WebGL2RenderingContext, arrays: Record<string, object>): BufferInfo;
export function setAttribInfoBufferFromArray(gl: WebGL2RenderingContext, attrib: object, array: ArrayBufferView): void;
export function createFramebufferInfo(gl: WebGL2RenderingContext, attachments: object[], width: number, height: number): FramebufferInfo;
export function resizeFramebufferInfo(gl: WebGL2RenderingContext, info: FramebufferInfo, attachments: object[], width: number, height: number): void;
export function bindFramebufferInfo(gl: WebGL2RenderingContext, info: FramebufferInfo | null): void;
export function setBuffersAndAttributes(gl: WebGL2RenderingContext, program: ProgramInfo, buffers: BufferInfo): void;
export function setUniforms(program: ProgramInfo, values: Record<string, unknown>): void;
export function drawBufferInfo(gl: WebGL2RenderingContext, buffers: BufferInfo, type?: number): void;
