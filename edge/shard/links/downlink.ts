/**
 * What goes down the links: the frames that one message of an origin brings for each, in order, packed into as few
 * messages as that allows. A link is never waited for (L6). What goes to objects of many endpoints is gathered (gathering.ts).
 */
import type { Frame } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { packMessages } from "../../../shared/protocol/message.ts";
import { isUpdate } from "../../../shared/protocol/subscriber.ts";
import { isGathered } from "../../object-identity.ts";
import { closeQuietly, sendQuietly } from "../../peer.ts";
import { Gathering, type GatheringPorts } from "./gathering.ts";
import type { Link } from "./links.ts";

export interface DownlinkPorts extends GatheringPorts {
  /** Messages that went out to objects. */
  sent(messages: number): void;
}

export class Downlink {
  readonly #ports: DownlinkPorts;
  readonly #closed: (link: Link) => void;
  readonly #gathering: Gathering<Link>;
  /** What is being batched, by the link that it goes to. */
  #batches: Map<Link, Frame[]> | undefined;

  /** @param closed A link had too much unsent, and was closed. */
  constructor(ports: DownlinkPorts, closed: (link: Link) => void, gatherMs = 0) {
    this.#ports = ports;
    this.#closed = closed;
    this.#gathering = new Gathering(ports, gatherMs, (link, frames) => this.#hand(link, frames));
  }

  /** What `work` adds leaves when it ends. Returns what that returns. */
  batch<T>(work: () => T): T {
    const batches = new Map<Link, Frame[]>();
    this.#batches = batches;
    try {
      return work();
    } finally {
      this.#batches = undefined;
      for (const [link, frames] of batches) {
        // Answers, and whatever else is said, leave at once.
        if (isGathered(link.object) && frames.every(isUpdateFrame)) this.#gathering.add(link, frames);
        else this.send(link, frames);
      }
    }
  }

  add(link: Link, frame: Frame): void {
    const batches = this.#batches;
    const batch = batches?.get(link);
    if (batch !== undefined) batch.push(frame);
    else if (batches !== undefined) batches.set(link, [frame]);
    else this.send(link, [frame]);
  }

  addAll(link: Link, frames: readonly Frame[]): void {
    if (this.#batches === undefined) this.send(link, frames);
    else for (const frame of frames) this.add(link, frame);
  }

  /** At once, behind what has waited. */
  send(link: Link, frames: readonly Frame[]): void {
    const waited = isGathered(link.object) ? this.#gathering.take(link) : [];
    this.#hand(link, waited.length === 0 ? frames : [...waited, ...frames]);
  }

  /** A link has gone. */
  forget(link: Link): void {
    this.#gathering.forget(link);
  }

  /** One that backs up is closed, and comes back by position. */
  #hand(link: Link, frames: readonly Frame[]): void {
    for (const message of packMessages(frames, LIMITS.batchBytes)) {
      if (link.peer.bufferedAmount > LIMITS.linkBacklogBytes) {
        closeQuietly(link.peer, "slow_consumer");
        this.#closed(link);
        return;
      }
      if (sendQuietly(link.peer, message)) this.#ports.sent(1);
    }
  }
}

function isUpdateFrame(frame: Frame): boolean {
  return typeof frame !== "string" || isUpdate(frame);
}
