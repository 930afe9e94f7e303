// One face becoming another: both pictures are bent until their heads lie on one another, and mixed.

import { move } from "./pose.js";

const CORNERS = `
attribute vec2 corner;
uniform vec2 size;
varying vec2 point; // pixels of the frame
void main() {
  point = size * vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}`;

/**
 * The head moves whole; what is farther off follows less and less, and the frame's edge stays.
 *
 * The farther a head goes the wider is what follows it: were the slope of the smoothstep, at most
 * 1.5 / its width, as large as 1 / the way, the picture would fold and show the head twice.
 */
const MIX = `
precision highp float;
varying vec2 point;
uniform vec2 size;
uniform vec3 head; // middle between the eyes, and their distance
uniform mat3 toFrom, toTo;
uniform sampler2D from, to;
uniform float share;

float follows(mat3 place) {
  float away = distance(point, head.xy) / head.z;
  float way = distance((place * vec3(head.xy, 1.0)).xy, head.xy) / head.z;
  vec2 inside = min(point, size - point) / min(size.x, size.y);
  float near = 1.0 - smoothstep(1.6, 1.6 + max(1.6, 2.0 * way), away);
  return near * smoothstep(0.0, 0.15, min(inside.x, inside.y));
}

vec4 look(sampler2D picture, mat3 place) {
  vec2 there = (place * vec3(point, 1.0)).xy;
  return texture2D(picture, mix(point, there, follows(place)) / size);
}

void main() {
  gl_FragColor = mix(look(from, toFrom), look(to, toTo), share);
}`;

export class Handover {
  #canvas;
  #gl;
  #places = {};

  constructor(canvas) {
    this.#canvas = canvas;
    this.#gl = canvas.getContext("webgl", { alpha: false, antialias: false, depth: false });
    if (this.#gl) this.#prepare();
    canvas.addEventListener("webglcontextrestored", () => this.#prepare());
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  }

  get isPossible() {
    return this.#gl !== null && !this.#gl.isContextLost();
  }

  /**
   * Draws `from` and `to`, each `{video, pose}`, so that both heads are at `pose`; `share` of the
   * picture is `to`.
   */
  draw({ width, height, from, to, pose, share }) {
    const gl = this.#gl;
    this.#resize(width, height);
    this.#load(gl.TEXTURE0, from.video);
    this.#load(gl.TEXTURE1, to.video);
    gl.uniform2f(this.#places.size, width, height);
    gl.uniform3f(this.#places.head, pose.x, pose.y, pose.eyes);
    gl.uniformMatrix3fv(this.#places.toFrom, false, move(pose, from.pose));
    gl.uniformMatrix3fv(this.#places.toTo, false, move(pose, to.pose));
    gl.uniform1f(this.#places.share, share);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.flush();
  }

  #resize(width, height) {
    if (this.#canvas.width === width && this.#canvas.height === height) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#gl.viewport(0, 0, width, height);
  }

  #load(unit, video) {
    const gl = this.#gl;
    gl.activeTexture(unit);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, video);
  }

  #prepare() {
    const gl = this.#gl;
    const program = this.#program();
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    for (const name of ["size", "head", "toFrom", "toTo", "share"]) {
      this.#places[name] = gl.getUniformLocation(program, name);
    }
    [gl.TEXTURE0, gl.TEXTURE1].forEach((unit) => this.#makeTexture(unit));
    gl.uniform1i(gl.getUniformLocation(program, "from"), 0);
    gl.uniform1i(gl.getUniformLocation(program, "to"), 1);
  }

  #program() {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, MIX]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (gl.getProgramParameter(program, gl.LINK_STATUS) || gl.isContextLost()) return program;
    throw new Error(`The hand-over cannot be drawn: ${gl.getProgramInfoLog(program)}`);
  }

  #makeTexture(unit) {
    const gl = this.#gl;
    gl.activeTexture(unit);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) {
      gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    }
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  }
}
