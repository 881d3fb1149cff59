/**
 * Which of the sockets that origins dialled is a shard's uplink: U2 of PROTOCOL.md. The newest hello wins; what
 * was granted before is fenced.
 */
import * as v from "valibot";
import { closeQuietly, type HibernatingPeer } from "../peer.ts";

export interface Uplink {
  readonly socket: HibernatingPeer;
  readonly generation: number;
  /** What the origin calls itself. */
  readonly origin: string;
  readonly ready: boolean;
}

/** `generation` is 0 until the hello has come. */
const AttachmentSchema = v.object({
  kind: v.literal("uplink"),
  generation: v.number(),
  origin: v.string(),
  ready: v.boolean(),
  nextLink: v.number(),
});

type Attachment = v.InferOutput<typeof AttachmentSchema>;

export class Uplinks {
  #active: Uplink | undefined;
  #nextLink = 1;

  constructor(survivors: readonly HibernatingPeer[]) {
    for (const socket of survivors) {
      const found = load(socket);
      if (found === undefined || found.generation <= (this.#active?.generation ?? 0)) continue;
      const { generation, origin, ready } = found;
      this.#active = { socket, generation, origin, ready };
      this.#nextLink = found.nextLink;
    }
  }

  get active(): Uplink | undefined {
    return this.#active;
  }

  /** An uplink that was just accepted. */
  opened(socket: HibernatingPeer): void {
    save(socket, { generation: 0, origin: "", ready: false, nextLink: 0 });
  }

  /** "greeting": its hello is due. "fenced": another one has taken over. */
  standing(socket: HibernatingPeer): "active" | "greeting" | "fenced" {
    if (socket === this.#active?.socket) return "active";
    return load(socket)?.generation === 0 ? "greeting" : "fenced";
  }

  grant(socket: HibernatingPeer, origin: string, generation: number): void {
    const before = this.#active;
    this.#change({ socket, generation, origin, ready: false });
    if (before !== undefined) closeQuietly(before.socket, "replaced");
  }

  ready(ready: boolean): void {
    if (this.#active !== undefined) this.#change({ ...this.#active, ready });
  }

  /** The number of a new link: not used twice in one generation (L2), over a hibernation either. */
  numberLink(): number {
    const number = this.#nextLink++;
    if (this.#active !== undefined) this.#change(this.#active);
    return number;
  }

  /** Whether the active one is gone. */
  closed(socket: HibernatingPeer): boolean {
    if (socket !== this.#active?.socket) return false;
    this.#active = undefined;
    return true;
  }

  #change(uplink: Uplink): void {
    this.#active = uplink;
    const { socket, generation, origin, ready } = uplink;
    save(socket, { generation, origin, ready, nextLink: this.#nextLink });
  }
}

function save(socket: HibernatingPeer, facts: Omit<Attachment, "kind">): void {
  socket.serializeAttachment({ kind: "uplink", ...facts } satisfies Attachment);
}

function load(socket: HibernatingPeer): Attachment | undefined {
  const result = v.safeParse(AttachmentSchema, socket.deserializeAttachment());
  return result.success ? result.output : undefined;
}
