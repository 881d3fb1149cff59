/** The client that applications use, on a connection whose other end is the test, and a clock that is the test's. */
import { afterEach, beforeEach, expect } from "vitest";
import { Client, type ClientOptions, type Subscription, type Update } from "../../shared/client/index.ts";
import { encodeUpdate, type Frame, type Value } from "../../shared/protocol/frame.ts";
import { NOTHING, parsePosition } from "../../shared/protocol/position.ts";
import { decodePublication, type Publication } from "../../shared/protocol/publication.ts";
import { encodeVerdict, PING } from "../../shared/protocol/subscriber.ts";
import { FakeClock } from "./fake-clock.ts";
import { type FakeSocket, FakeTransport } from "./fake-transport.ts";

export const at = (text: string) => parsePosition(text) ?? NOTHING;
export const json = (text: string): Value => ({ kind: "json", text });
export const update = (endpoint: string, offset: number, value: Value = json(String(offset))): Frame =>
  encodeUpdate({
    endpoint,
    epoch: "a",
    offset,
    previous: offset > 1 ? offset - 1 : undefined,
    timestamp: undefined,
    headers: [],
    value,
  });
export const verdict = (id: number, position: string, head = position, recovered?: boolean, cause?: string) =>
  encodeVerdict(id, { position: at(position), head: at(head), recovered, cause });

export const [ATL, DFW] = ["/flights/ATL", "/flights/DFW"];

export let clock: FakeClock;
export let transport: FakeTransport;
export let client: Client;

/** In place of the one that there is. */
export function startClient(options: ClientOptions = {}): void {
  client?.close();
  client = new Client("https://edge.example", { transport, clock, ...options });
}

/** For each test its own; at its end no timer is left, whatever it has done. */
export function withClient(): void {
  beforeEach(() => {
    clock = new FakeClock();
    transport = new FakeTransport();
    startClient();
  });
  afterEach(() => {
    client.close();
    expect(clock.pending).toBe(0);
  });
}

/** What was said on a socket since this was last asked, pings apart; each with its id. */
export function said(socket: FakeSocket = transport.socket): Record<string, unknown>[] {
  return socket.messages
    .splice(0)
    .filter((message) => message !== PING)
    .flatMap((message) => {
      const frame = JSON.parse(String(message)) as Record<string, unknown>;
      return (frame.subs as Record<string, unknown>[] | undefined) ?? [frame];
    });
}

/** A subscription that is live at a:1, having had that update. */
export function live<T = unknown>(options: Parameters<typeof client.subscribe<T>>[1] = {}): Subscription<T> {
  const subscription = client.subscribe<T>(ATL, options);
  transport.socket.open().say(verdict(1, "-", "a:1"), update(ATL, 1));
  said();
  return subscription;
}

/** Answers the last subscribe that was said. */
export function answer(position: string, head = position, recovered?: boolean, cause?: string): void {
  clock.pass(0);
  const id = Number(said().at(-1)?.id);
  transport.socket.say(verdict(id, position, head, recovered, cause));
}

/** The offsets of so many updates that an iteration gives next. */
export async function read<T>(
  iterator: AsyncIterator<Update<T>, undefined>,
  count: number,
): Promise<Update<T>[]> {
  const updates: Update<T>[] = [];
  for (let i = 0; i < count; i++) {
    const { value, done } = await iterator.next();
    if (done) throw new Error(`it ended after ${i}`);
    updates.push(value);
  }
  return updates;
}

export const offsets = (updates: readonly Update[]) => updates.map(({ offset }) => offset);
export const iteratorOf = <T>(subscription: AsyncIterable<Update<T>>) =>
  subscription[Symbol.asyncIterator]() as AsyncIterator<Update<T>, undefined>;

/** What was published on the present socket since this was last asked. */
export function published(): Publication[] {
  return transport.socket.messages.splice(0).flatMap((message) => {
    const read = decodePublication(message);
    return read?.ok ? [read.value] : [];
  });
}

export const textOf = ({ value }: Publication) => (value === null ? null : new TextDecoder().decode(value));
