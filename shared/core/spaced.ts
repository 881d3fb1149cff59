/**
 * Tells a number whenever it has changed, but no more often than once in a while. What is told is right then, so it isn't told
 * in vain, nor late. Pure: time is passed in.
 */
export interface SpacedPorts {
  /** Milliseconds. */
  now(): number;
  /** Runs once after `ms` milliseconds, unless the function returned is called before. */
  after(ms: number, run: () => void): () => void;
}

export class Spaced {
  readonly #ports: SpacedPorts;
  readonly #spacingMs: number;
  readonly #tell: (number: number) => void;
  #number: number | undefined;
  #told: number | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Set while it is to be told later. */
  #cancel: (() => void) | undefined;

  constructor(ports: SpacedPorts, spacingMs: number, tell: (number: number) => void) {
    this.#ports = ports;
    this.#spacingMs = spacingMs;
    this.#tell = tell;
  }

  /** So much it is from now on. */
  set(number: number): void {
    this.#number = number;
    this.#look();
  }

  /** What is set next is told, whether it has changed or not. */
  again(): void {
    this.#told = undefined;
  }

  /** Nothing is told any more, unless something is set anew. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    if (this.#number === undefined || this.#number === this.#told || this.#cancel !== undefined) return;
    const leftMs = this.#toldAt + this.#spacingMs - this.#ports.now();
    if (leftMs > 0) {
      this.#cancel = this.#ports.after(leftMs, () => {
        this.#cancel = undefined;
        this.#look();
      });
      return;
    }
    this.#told = this.#number;
    this.#toldAt = this.#ports.now();
    this.#tell(this.#number);
  }
}
