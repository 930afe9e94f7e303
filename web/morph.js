// A WebGL morph of two videos: both are warped until their heads coincide, and cross-dissolved.

import { transformBetween } from "./head_pose.js";

const VERTEX_SHADER = `
attribute vec2 corner;
uniform vec2 size;
varying vec2 point; // pixels of the frame
void main() {
  point = size * vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}`;

/**
 * The head moves rigidly; its surroundings follow less the farther away they are, and the edge of
 * the frame stays in place.
 *
 * The transition zone widens with the displacement of the head. Its steepest slope, 1.5 / width for
 * a smoothstep, must stay below 1 / displacement, or the image folds and shows the head twice.
 */
const FRAGMENT_SHADER = `
precision highp float;
varying vec2 point;
uniform vec2 size;
uniform vec3 head; // midpoint between the eyes, and eye distance
uniform mat3 toFrom, toTo;
uniform sampler2D from, to;
uniform float mixture;

float weight(mat3 transform) {
  float away = distance(point, head.xy) / head.z;
  float displacement = distance((transform * vec3(head.xy, 1.0)).xy, head.xy) / head.z;
  vec2 margin = min(point, size - point) / min(size.x, size.y);
  float near = 1.0 - smoothstep(1.6, 1.6 + max(1.6, 2.0 * displacement), away);
  return near * smoothstep(0.0, 0.15, min(margin.x, margin.y));
}

vec4 warped(sampler2D image, mat3 transform) {
  vec2 moved = (transform * vec3(point, 1.0)).xy;
  return texture2D(image, mix(point, moved, weight(transform)) / size);
}

void main() {
  gl_FragColor = mix(warped(from, toFrom), warped(to, toTo), mixture);
}`;

export class Morph {
  #canvas;
  #gl;
  #uniforms = {};

  constructor(canvas) {
    this.#canvas = canvas;
    this.#gl = canvas.getContext("webgl", { alpha: false, antialias: false, depth: false });
    if (this.#gl) this.#prepare();
    canvas.addEventListener("webglcontextrestored", () => this.#prepare());
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  }

  /** True if WebGL is available now. */
  get isAvailable() {
    return this.#gl !== null && !this.#gl.isContextLost();
  }

  /** Draws `from` and `to`, each `{video, pose}`, with both heads at `pose`; `mixture` is `to`'s share. */
  draw({ width, height, from, to, pose, mixture }) {
    const gl = this.#gl;
    this.#resize(width, height);
    this.#upload(gl.TEXTURE0, from.video);
    this.#upload(gl.TEXTURE1, to.video);
    gl.uniform2f(this.#uniforms.size, width, height);
    gl.uniform3f(this.#uniforms.head, pose.x, pose.y, pose.eyeDistance);
    gl.uniformMatrix3fv(this.#uniforms.toFrom, false, transformBetween(pose, from.pose));
    gl.uniformMatrix3fv(this.#uniforms.toTo, false, transformBetween(pose, to.pose));
    gl.uniform1f(this.#uniforms.mixture, mixture);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.flush();
  }

  #resize(width, height) {
    if (this.#canvas.width === width && this.#canvas.height === height) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#gl.viewport(0, 0, width, height);
  }

  #upload(unit, video) {
    const gl = this.#gl;
    gl.activeTexture(unit);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, video);
  }

  #prepare() {
    const gl = this.#gl;
    const program = this.#linkProgram();
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    for (const name of ["size", "head", "toFrom", "toTo", "mixture"]) {
      this.#uniforms[name] = gl.getUniformLocation(program, name);
    }
    [gl.TEXTURE0, gl.TEXTURE1].forEach((unit) => this.#createTexture(unit));
    gl.uniform1i(gl.getUniformLocation(program, "from"), 0);
    gl.uniform1i(gl.getUniformLocation(program, "to"), 1);
  }

  #linkProgram() {
    const gl = this.#gl;
    const program = gl.createProgram();
    this.#attachShader(program, gl.VERTEX_SHADER, VERTEX_SHADER);
    this.#attachShader(program, gl.FRAGMENT_SHADER, FRAGMENT_SHADER);
    gl.linkProgram(program);
    if (gl.getProgramParameter(program, gl.LINK_STATUS) || gl.isContextLost()) return program;
    throw new Error(`The morph shaders failed to link: ${gl.getProgramInfoLog(program)}`);
  }

  #attachShader(program, type, source) {
    const shader = this.#gl.createShader(type);
    this.#gl.shaderSource(shader, source);
    this.#gl.compileShader(shader);
    this.#gl.attachShader(program, shader);
  }

  #createTexture(unit) {
    const gl = this.#gl;
    gl.activeTexture(unit);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) {
      gl.texParameteri(gl.TEXTURE_2D, axis, gl.CLAMP_TO_EDGE);
    }
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  }
}
