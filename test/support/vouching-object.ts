/**
 * The object of an endpoint without its sockets: the product's replica, and the product's questions to its source. One
 * subscriber is live from the first answer on, and what it is told is kept to be checked.
 */

import { Asking, type AskingFacts } from "../../edge/endpoint/asking.ts";
import { CatchUp } from "../../edge/endpoint/catch-up.ts";
import { OF_A_SOCKET } from "../../edge/endpoint/pace.ts";
import { ReplayQuota } from "../../edge/endpoint/replay-quota.ts";
import { type Facts, Replica } from "../../edge/endpoint/replica.ts";
import { Subscribers } from "../../edge/endpoint/subscribers.ts";
import { WaitingLine } from "../../edge/endpoint/waiting-line.ts";
import type { Peer } from "../../edge/peer.ts";
import type { WindowLimits } from "../../shared/core/window.ts";
import type { Attach } from "../../shared/protocol/attach.ts";
import { decodeDown } from "../../shared/protocol/down.ts";
import { type Frame, routingOf } from "../../shared/protocol/frame.ts";
import { decodeLinkDown, decodeLinkUp } from "../../shared/protocol/link.ts";
import { NOTHING, type Position } from "../../shared/protocol/position.ts";
import { isUpdate } from "../../shared/protocol/subscriber.ts";

export interface VouchingObjectPorts {
  readonly path: string;
  readonly window: WindowLimits;
  now(): number;
  attach(attach: Attach): void;
}

export class VouchingObject {
  readonly #ports: VouchingObjectPorts;
  readonly #line = new WaitingLine<Peer>({ laneOf: () => "known", hasRoom: () => true, keyOf: () => "" });
  readonly follower = new Follower(this.#line, {
    keep: () => undefined,
    close: () => undefined,
    isHeld: () => false,
    sent: () => undefined,
    unsent: {
      hasRoom: true,
      sent: () => undefined,
      sentFirst: () => undefined,
      remove: () => undefined,
    },
    pace: OF_A_SOCKET,
    replays: new ReplayQuota(undefined),
    refuse: () => undefined,
  });
  replica: Replica;
  #asking: Asking<Peer>;

  constructor(ports: VouchingObjectPorts) {
    this.#ports = ports;
    this.replica = this.#replicaOf({ position: undefined, latest: undefined, due: NOTHING });
    this.#asking = this.#askingOf(undefined);
  }

  /** It has another link, on which nothing was asked yet. */
  relink(): void {
    this.#asking.restart();
    this.settle();
  }

  /** What its sockets hold is all that is left of it. */
  hibernate(): void {
    const facts = this.#asking.facts();
    const { position, latest, due } = this.replica;
    const frame = latest === undefined || latest === "none" ? latest : latest.frame;
    this.replica = this.#replicaOf({ position, latest: frame, due });
    this.#asking = this.#askingOf(facts);
  }

  /** A frame of its link. */
  hear(frame: Frame): void {
    if (typeof frame !== "string" || isUpdate(frame)) this.#update(frame);
    else this.#control(frame);
    this.settle();
  }

  settle(): void {
    this.#asking.askNext();
  }

  #update(frame: Frame): void {
    const routing = routingOf(frame);
    if (this.#asking.take(frame)) return;
    const verdict = routing && this.replica.apply(frame, routing, this.#ports.now());
    if (verdict === "next") this.follower.queue(frame);
    else if (verdict !== "duplicate") this.#asking.missed(routing?.epoch);
  }

  #control(frame: string): void {
    const says = decodeLinkDown(frame);
    if (!says.ok) throw new Error(`${frame}: ${says.problem}`);
    if (says.value.kind === "waiting") this.#asking.hold(says.value.id);
    if (says.value.kind === "attached") this.#asking.answer(says.value.attached);
  }

  #replicaOf(facts: Facts): Replica {
    return new Replica(this.#ports.window, facts, this.#ports.now());
  }

  #askingOf(facts: AskingFacts | undefined): Asking<Peer> {
    const { path, now, attach } = this.#ports;
    const [replica, subscribers, line] = [this.replica, this.follower, this.#line];
    const catchUp = new CatchUp(path, replica, subscribers, false, () => undefined);
    const ask = (said: string) => {
      const says = decodeLinkUp(said);
      if (says.ok && says.value.kind === "attach") attach(says.value.attach);
    };
    const replays = new ReplayQuota<Peer>(undefined);
    return new Asking(path, { replica, subscribers, line, catchUp }, { now, ask, replays }, facts);
  }
}

/** Who is live hears all that is queued for those who are. */
class Follower extends Subscribers<Peer> {
  /** Where it began, or was told to begin anew. */
  base: Position | undefined;
  /** How often that was. */
  times = 0;
  /** The updates since. */
  updates: Frame[] = [];

  override queue(frame: Frame): void {
    const down = typeof frame === "string" && !isUpdate(frame) ? decodeDown(frame) : undefined;
    if (down === undefined) this.updates.push(frame);
    else if (down.ok && down.value.kind === "reset") {
      this.base = down.value.verdict.position;
      this.times++;
      this.updates = [];
    }
  }
}
