/** What a process was given to publish, and what that took of it. */

export interface Work {
  readonly count: number;
  /** Of each value. */
  readonly bytes: number;
}

export interface Use {
  readonly count: number;
  /** Of the process, all its threads, in microseconds. */
  readonly cpuUs: number;
  readonly wallUs: number;
}

/** Of a process since it began, whoever asked it. */
export interface UsedInAll {
  readonly cpuUs: number;
  readonly batches: number;
}

export function cpuUsInAll(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export class Used {
  readonly #cpu = process.cpuUsage();
  readonly #from = performance.now();

  static begin(): Used {
    return new Used();
  }

  end(count: number): Use {
    const { user, system } = process.cpuUsage(this.#cpu);
    return { count, cpuUs: user + system, wallUs: (performance.now() - this.#from) * 1_000 };
  }
}
