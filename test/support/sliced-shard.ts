/** A shard whose records come in two slices, each with an active origin, and an object of it that asks. */
import { endpointObject } from "../../edge/object-identity.ts";
import { encodeAttach, encodeAttached } from "../../shared/protocol/attach.ts";
import { encodeUpdate } from "../../shared/protocol/frame.ts";
import { NOTHING, parsePosition } from "../../shared/protocol/position.ts";
import type { FakeSocket } from "./fake-socket.ts";
import { settled } from "./simulated-edge.ts";
import { SmallShard } from "./small-shard.ts";

/** The object's endpoint. */
export const ENDPOINT = "/quotes/A";

export const at = (text: string) => parsePosition(text) ?? NOTHING;

export class SlicedShard extends SmallShard {
  readonly one = this.connect("one", { slice: "1/2" });
  readonly two = this.connect("two", { slice: "2/2" });

  constructor() {
    super();
    for (const uplink of [this.one, this.two]) uplink.take();
  }

  /** An origin says something to the first link. */
  tell(uplink: FakeSocket, ...frames: string[]): void {
    for (const frame of frames) this.say(uplink, 1, frame);
  }

  /** An object that has a link and asks. */
  async object(from?: string): Promise<FakeSocket> {
    this.core.attach(endpointObject(ENDPOINT));
    await settled();
    const down = this.dialled.at(-1);
    if (down === undefined) throw new Error("nothing was dialled");
    this.ask(down, 1, from);
    down.take();
    return down;
  }

  ask(down: FakeSocket, id: number, from?: string): void {
    const position = from === undefined ? undefined : at(from);
    this.core.linkMessage(down, encodeAttach({ endpoint: ENDPOINT, id, from: position }));
  }

  /** An object that has been answered: it stands at t.0:5, and nothing is known in the second slice. */
  async live(): Promise<FakeSocket> {
    const down = await this.object();
    this.tell(this.one, ...answer({ from: "t.0:5" }));
    this.tell(this.two, ...answer({ notHome: true }));
    for (const socket of [this.one, this.two, down]) socket.take();
    return down;
  }
}

interface Said {
  readonly id?: number;
  readonly from?: string;
  readonly to?: string;
  readonly head?: string;
  readonly recovered?: boolean;
  readonly frames?: readonly string[];
  readonly notHome?: boolean;
  readonly withoutHome?: boolean;
}

/** What an origin answers, as its items. */
export function answer({ id = 1, from = "-", to = from, head = to, frames = [], ...rest }: Said): string[] {
  const { recovered, notHome, withoutHome } = rest;
  const cause = recovered === false ? ("horizon" as const) : undefined;
  const verdict = { position: at(from), head: at(head), recovered, cause };
  const attached = {
    endpoint: ENDPOINT,
    id,
    verdict,
    to: at(to),
    horizon: NOTHING,
    count: frames.length,
    notHome,
    withoutHome,
  };
  return [encodeAttached(attached), ...frames];
}

/** An update at this position, after the offset `q`, of the time `t`. */
export function update(p: string, q?: number, t?: number): string {
  const [epoch = "", offset] = p.split(":");
  const value = { kind: "json", text: "1" } as const;
  const facts = { endpoint: ENDPOINT, epoch, offset: Number(offset), previous: q, timestamp: t, headers: [] };
  return String(encodeUpdate({ ...facts, value }));
}
