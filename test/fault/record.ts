/** What a run's records look like in Kafka: each has a number of its own, in its value, or, of a tombstone, beside it. */
import type { IHeaders, KafkaMessage } from "kafkajs";

const ID = "id";
const END = -1;

export interface Message {
  readonly id: number;
  readonly key: string;
  readonly value: string | null;
  readonly partition: number;
  readonly headers?: IHeaders;
}

export function withValue(id: number, key: string, partition: number, padding: number): Message {
  return { id, key, value: `{"id":${id},"pad":"${"x".repeat(padding)}"}`, partition };
}

export function tombstone(id: number, key: string, partition: number): Message {
  return { id, key, value: null, partition, headers: { [ID]: String(id) } };
}

/** The last of a partition, of no endpoint of a run's. */
export const endOf = (partition: number) => withValue(END, "end", partition, 0);

export const isEnd = (message: KafkaMessage) => idOf(message) === END;

export const isTombstone = ({ value }: KafkaMessage) => value === null;

/** Of a record as kafkajs reads it. */
export function idOf({ value, headers }: KafkaMessage): number {
  if (value !== null) return (JSON.parse(value.toString()) as { readonly id: number }).id;
  return Number(headers?.[ID]?.toString());
}

/** Of an update: `value` is its JSON, if it has one; `headers` are pairs of name and text. */
export function idOfUpdate(value: unknown, headers: readonly (readonly unknown[])[]): number {
  if (value !== undefined) return (value as { readonly id: number }).id;
  return Number(headers.find(([name]) => name === ID)?.[1]);
}
