/**
 * Centrifugo's JSON protocol, as far as a subscriber of one channel needs it: commands and replies are lines of JSON, several
 * to a message; an empty object is a ping, and is answered with one. Its definition: client.proto of
 * github.com/centrifugal/protocol. Pure.
 */
import { type Stamp, stampOf } from "./payload.ts";

export interface Publication {
  /** One more than that of the publication before it. */
  readonly offset: number;
  readonly stamp: Stamp;
}

export interface Subscribed {
  readonly epoch: string;
  /** The channel's last offset, or, if it was recovered, the one up to which `publications` go. */
  readonly offset: number;
  /** Whether all since the position that was asked for are here; false also if none was. */
  readonly recovered: boolean;
  readonly publications: readonly Publication[];
}

export interface Receiver {
  subscribed(subscribed: Subscribed): void;
  publication(publication: Publication): void;
  ping(): void;
}

export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

export const PING = "{}";
export const PONG = PING;

const CONNECT = '{"id":1,"connect":{}}';

/** Connects and subscribes in one message, so that only one answer is waited for. */
export function greeting(channel: string, from?: Position): string {
  const subscribe = { channel, ...(from && { recover: true, ...from }) };
  return `${CONNECT}\n${JSON.stringify({ id: 2, subscribe })}`;
}

interface Pub {
  readonly data: unknown;
  readonly offset?: number;
}

interface Reply {
  readonly push?: { readonly pub?: Pub; readonly unsubscribe?: Problem };
  readonly subscribe?: {
    readonly epoch?: string;
    readonly offset?: number;
    readonly recovered?: boolean;
    readonly publications?: readonly Pub[];
  };
  readonly error?: Problem;
}

interface Problem {
  readonly code: number;
  readonly message?: string;
  readonly reason?: string;
}

/** Throws where the server refuses or ends the subscription, or an update is none of this bench's. */
export function readReplies(message: Buffer, receiver: Receiver): void {
  for (const line of message.toString("utf8").split("\n")) {
    if (line === "") continue;
    if (line === PING) {
      receiver.ping();
      continue;
    }
    const { push, subscribe, error }: Reply = JSON.parse(line);
    if (push?.pub !== undefined) receiver.publication(publicationOf(push.pub));
    else if (push?.unsubscribe !== undefined) throw problemOf("unsubscribed", push.unsubscribe);
    else if (error !== undefined) throw problemOf("refused", error);
    else if (subscribe !== undefined) {
      const { epoch = "", offset = 0, recovered = false, publications = [] } = subscribe;
      receiver.subscribed({ epoch, offset, recovered, publications: publications.map(publicationOf) });
    }
  }
}

function publicationOf({ data, offset = 0 }: Pub): Publication {
  const stamp = stampOf(data);
  if (stamp === undefined) throw new Error("an update that no publisher of this bench has sent");
  return { offset, stamp };
}

function problemOf(what: string, { code, message, reason }: Problem): Error {
  return new Error(`${what} with ${code} ${message ?? reason ?? ""}`.trimEnd());
}
