/** How crowded the machine was meanwhile: where processes wait for a processor, updates come late whatever the product does. */
import { cpus, loadavg } from "node:os";

const LOOK_MS = 5_000;

export class Crowding {
  #most = 0;
  #sum = 0;
  #looks = 0;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** A line for people. Ends the watch. */
  end(): string {
    clearInterval(this.#timer);
    const mean = (this.#sum / this.#looks).toFixed(1);
    return `the machine: a load of ${mean} on ${cpus().length} processors, at most ${this.#most.toFixed(1)}`;
  }

  #look(): void {
    const [load = 0] = loadavg();
    this.#most = Math.max(this.#most, load);
    this.#sum += load;
    this.#looks++;
  }
}
