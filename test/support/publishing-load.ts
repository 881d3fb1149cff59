/** Senders that publish over HTTP, each to a key of its own and one after another, whatever becomes of the server. */
import type { RawSubscriber } from "./raw-subscriber.ts";

export interface Acknowledged {
  readonly value: string;
  readonly position: string;
}

export interface Sender {
  readonly path: string;
  /** In order. */
  readonly acknowledged: Acknowledged[];
}

/** Publishes what it was told to until it is acknowledged, always with the same key: what isn't known is asked again. */
async function publishOnce(url: string, value: string, key: string): Promise<string> {
  for (;;) {
    const position = await fetch(url, {
      method: "POST",
      body: value,
      headers: { "Idempotency-Key": key },
    }).then(
      async (answer) => {
        const said = (await answer.json()) as { position?: string; error?: { retry: boolean } };
        if (said.position !== undefined) return said.position;
        if (said.error?.retry !== true) throw new Error(`${answer.status} ${JSON.stringify(said)}`);
        return undefined;
      },
      (error: unknown) => {
        if (error instanceof TypeError) return undefined;
        throw error;
      },
    );
    if (position !== undefined) return position;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export class PublishingLoad {
  readonly senders: readonly Sender[];
  readonly #done: Promise<unknown>;
  #ending = false;

  constructor(url: string, paths: readonly string[]) {
    this.senders = paths.map((path) => ({ path, acknowledged: [] }));
    this.#done = Promise.all(this.senders.map((sender, i) => this.#send(url, sender, i)));
  }

  get count(): number {
    return this.senders.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  }

  /** Resolves when what is under way has been acknowledged. */
  async end(): Promise<void> {
    this.#ending = true;
    await this.#done;
  }

  async #send(url: string, { path, acknowledged }: Sender, number: number): Promise<void> {
    for (let i = 0; !this.#ending; i++) {
      const value = `${number}:${i}`;
      const position = await publishOnce(`${url}${path}`, value, `key-${number}-${i}`);
      acknowledged.push({ value, position });
    }
  }
}

/** What a subscriber from the very beginning got, as it would have been acknowledged. */
export function receivedBy({ updates }: RawSubscriber): Acknowledged[] {
  return updates.map(({ epoch, offset, value }) => ({
    value: String(value),
    position: `${epoch}:${offset}`,
  }));
}
