/**
 * A client in a room: it follows one endpoint, by a socket that says what the socket of an endpoint's own object would (S1–S9,
 * S17–S20 of PROTOCOL.md), and knows nothing of rooms. L16 of INTERNALS.md.
 */
import type { Audience } from "../../shared/config/streams.ts";
import type { CloseName } from "../../shared/protocol/codes.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import type { Position } from "../../shared/protocol/position.ts";
import { encodeError, encodeRateLimited } from "../../shared/protocol/subscriber.ts";
import type { Holder } from "../endpoint/holder.ts";
import { PublishRights } from "../endpoint/publish-rights.ts";
import type { Speaker } from "../endpoint/subscriber-frames.ts";
import type { Connection } from "./connection.ts";

export interface OneEndpointPorts {
  /** Who may publish to a path. */
  publishers(path: string): Audience;
  holderOf(connection: Connection): Holder | undefined;
  /** The id of a renewal that is under way. */
  renewing(connection: Connection): number | undefined;
  waitMs(connection: Connection, what: "messages" | "asks", count?: number): number;
  /** Something was refused. False if that was too often. */
  bears(connection: Connection): boolean;
  subscribe(
    connection: Connection,
    path: string,
    said: { readonly id: number; readonly from: Position | undefined; readonly occupancy: true | undefined },
  ): void;
  renew(connection: Connection, id: number, token: string): void;
  tell(connection: Connection, frame: string): void;
  close(connection: Connection, name: CloseName): void;
}

export function speakerOf(connection: Connection, path: string, ports: OneEndpointPorts): Speaker {
  return {
    path,
    messageBytes: LIMITS.subscriberMessageBytes,
    lastId: () => {
      const id = connection.follows.get(path)?.id;
      return id === undefined ? undefined : Math.max(id, ports.renewing(connection) ?? id);
    },
    // It may not publish, and is asked for its frames, whatever they say.
    waitMs: (what, count) => ports.waitMs(connection, what === "publishes" ? "messages" : what, count),
    refuse(id, waitMs) {
      if (ports.bears(connection)) ports.tell(connection, encodeRateLimited(id, waitMs));
      else ports.close(connection, "rate_limited");
    },
    subscribe: (id, from, occupancy) => ports.subscribe(connection, path, { id, from, occupancy }),
    renew: (id, token) => ports.renew(connection, id, token),
    publish({ id, endpoint }) {
      const rights = new PublishRights<Connection>({ path, by: ports.publishers(path) }, ports.holderOf);
      const why = rights.whyNot(connection, endpoint);
      // Those who may are led to the endpoint's own object; it was the stream that changed meanwhile.
      if (why === undefined) ports.close(connection, "going_away");
      else ports.tell(connection, encodeError(id, why.code, why.message));
    },
    send: (frame) => ports.tell(connection, frame),
    close: (name) => ports.close(connection, name),
  };
}
