/**
 * Leaves many things be for the same while each: an endpoint stays attached after its last subscriber has gone (L5),
 * since many come back. One timer for all, as long as something lingers: a shard that has a timer can't sleep.
 */
export interface LingerPorts {
  /** Milliseconds since 1970. */
  now(): number;
  after(ms: number, run: () => void): () => void;
}

export class Linger<T> {
  readonly #ports: LingerPorts;
  readonly #ms: number;
  readonly #over: (left: T) => void;
  readonly #together: (ends: () => void) => void;
  /** What lingers and until when, the first to end first. */
  readonly #until = new Map<T, number>();
  /** Stops the timer; undefined if there is none. */
  #stop: (() => void) | undefined;
  #isEnding = false;

  /** @param together All that ends at one moment ends within this. */
  constructor(
    ports: LingerPorts,
    ms: number,
    over: (left: T) => void,
    together: (ends: () => void) => void = (ends) => ends(),
  ) {
    this.#ports = ports;
    this.#ms = ms;
    this.#over = over;
    this.#together = together;
  }

  start(left: T): void {
    if (this.#until.has(left)) return;
    this.#until.set(left, this.#ports.now() + this.#ms);
    // While others end, that comes after it.
    if (this.#stop === undefined && !this.#isEnding) this.#endIn(this.#ms);
  }

  has(left: T): boolean {
    return this.#until.has(left);
  }

  end(left: T): void {
    this.#until.delete(left);
    if (this.#until.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #endIn(ms: number): void {
    this.#stop = this.#ports.after(ms, () => {
      this.#stop = undefined;
      this.#isEnding = true;
      try {
        this.#together(() => this.#end(this.#ports.now()));
      } finally {
        this.#isEnding = false;
        // What began to linger while others ended comes after those that are left.
        const [next] = this.#until.values();
        if (next !== undefined) this.#endIn(next - this.#ports.now());
      }
    });
  }

  #end(now: number): void {
    for (const [left, until] of [...this.#until]) {
      if (until > now) return;
      // One that ended may have ended others.
      if (this.#until.delete(left)) this.#over(left);
    }
  }
}
