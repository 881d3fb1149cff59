/** A partition to be claimed, whose every answer a test gives. */

import type {
  BatchOutcome,
  Claim,
  ClaimRequest,
  KnownPublish,
  SinkRecord,
} from "../../origin/publish/sink.ts";
import type { Guarantee } from "../../shared/protocol/publish.ts";

export interface SentBatch {
  readonly values: readonly string[];
  readonly claim: number;
  readonly tries: number;
  readonly isLate: () => boolean;
  answer(outcome: BatchOutcome): void;
}

export class ScriptedPartition {
  /** How often it was claimed, or tried to be. */
  claims = 0;
  readonly #claiming: {
    readonly learn: ClaimRequest["learn"];
    readonly claim: PromiseWithResolvers<Claim>;
  }[] = [];
  readonly #sent: SentBatch[] = [];
  readonly #lost: AbortController[] = [];
  readonly released: number[] = [];
  /** Why the log can't promise to know an id, if it can't. */
  forgets: string | undefined;

  guarantee: Guarantee | undefined;
  /** How many partitions the topic has. */
  partitions = 1;

  readonly claim = ({ learn }: Pick<ClaimRequest, "learn">): Promise<Claim> => {
    this.claims++;
    const claim = Promise.withResolvers<Claim>();
    this.#claiming.push({ learn, claim });
    return claim.promise;
  };

  /** Lets the claim that is waited for succeed. */
  grant(known: readonly KnownPublish[] = []): void {
    const number = this.claims;
    const lost = new AbortController();
    this.#lost[number] = lost;
    const claiming = this.#claiming.shift();
    for (const publish of known) claiming?.learn(publish);
    claiming?.claim.resolve({
      writer: { id: 7, epoch: number },
      partitions: this.partitions,
      guarantee: this.guarantee,
      forgets: this.forgets,
      lost: lost.signal,
      release: () => void this.released.push(number),
      batch: (records: readonly SinkRecord[]) => {
        let tries = 0;
        return {
          send: (isLate: () => boolean) => {
            const { promise, resolve } = Promise.withResolvers<BatchOutcome>();
            const values = records.map(({ value }) => String(value && Buffer.from(value)));
            this.#sent.push({ values, claim: number, tries: ++tries, isLate, answer: resolve });
            return promise;
          },
        };
      },
    });
  }

  refuse(error: Error): void {
    this.#claiming.shift()?.claim.reject(error);
  }

  /** The present claim is found lost. */
  lose(): void {
    this.#lost[this.claims]?.abort();
  }

  /** The batches that were sent since the last call. */
  sent(): readonly SentBatch[] {
    return this.#sent.splice(0);
  }

  /** The one batch that was sent since. */
  one(): SentBatch {
    const [batch, ...more] = this.sent();
    if (batch === undefined || more.length > 0) throw new Error(`${more.length} batches instead of one`);
    return batch;
  }
}
