// The two ends of the telephone line inside the browser's sound thread.

const PIECE = 0.02; // seconds of the microphone in one message
const AHEAD = 0.12; // seconds of the line that are gathered before they sound, so that a hiccup is not heard
const BEHIND = 0.4; // seconds after which silence is left out, until the line is no longer behind

class Microphone extends AudioWorkletProcessor {
  #piece = new Float32Array(Math.round(sampleRate * PIECE));
  #filled = 0;

  process([input]) {
    const samples = input[0] ?? new Float32Array(128);
    for (const sample of samples) {
      this.#piece[this.#filled++] = sample;
      if (this.#filled === this.#piece.length) {
        this.port.postMessage(this.#piece);
        this.#filled = 0;
      }
    }
    return true;
  }
}

class Line extends AudioWorkletProcessor {
  #pieces = [];
  #at = 0; // how much of the first piece has sounded
  #gathering = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      const silent = data.every((sample) => Math.abs(sample) < 0.001);
      if (!silent || this.#length() < BEHIND * sampleRate) this.#pieces.push(data);
    };
  }

  #length() {
    return this.#pieces.reduce((sum, piece) => sum + piece.length, -this.#at);
  }

  process(_inputs, [[out]]) {
    this.#gathering &&= this.#length() < AHEAD * sampleRate;
    for (let i = 0; i < out.length && !this.#gathering; i++) {
      out[i] = this.#pieces[0][this.#at++];
      if (this.#at === this.#pieces[0].length) {
        this.#pieces.shift();
        this.#at = 0;
      }
      this.#gathering = this.#pieces.length === 0;
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
registerProcessor("line", Line);
