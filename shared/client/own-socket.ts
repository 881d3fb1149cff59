/** A subscription on a socket of its own: its URL is the subscribe (S1), and where that leads nowhere the socket goes. */
import type { ErrorBody } from "../protocol/error-body.ts";
import type { Update } from "../protocol/frame.ts";
import type { Message } from "../protocol/message.ts";
import { formatStart } from "../protocol/position.ts";
import { encodeSubscribe, URL_SUBSCRIBE_ID } from "../protocol/up.ts";
import { OCCUPANCY } from "../protocol/version.ts";
import { Timer } from "./clock.ts";
import { ConnectionKeeper } from "./connection-keeper.ts";
import type { EndpointUrl } from "./endpoint-url.ts";
import { Subscription } from "./handle.ts";
import { type Heard, hear } from "./hear.ts";
import { Publisher } from "./publisher.ts";
import { Receiver, type Wanted } from "./receiver.ts";
import type { Settings } from "./settings.ts";
import type { SubscriptionEvent } from "./subscription.ts";

const CLOSED: ErrorBody = { code: "closed", message: "the subscription is closed", retry: false };

export function onOwnSocket({ url, path }: EndpointUrl, wanted: Wanted, settings: Settings): Subscription {
  const timer = new Timer(settings.clock, () => receiver.step({ kind: "timer" }));
  const receiver: Receiver = new Receiver(path, wanted, settings.limits, {
    ask: () => {
      const id = keeper.takeId();
      keeper.send(encodeSubscribe(id, path, receiver.position, receiver.occupancy));
      receiver.step({ kind: "asked", id });
    },
    retry: ({ reason, error }) => {
      keeper.step({ kind: "reconnect", reason });
      if (error?.retryAfterMs !== undefined) keeper.step({ kind: "putOff", afterMs: error.retryAfterMs });
    },
    end: (reason) => keeper.step({ kind: "close", reason }),
    awaitAnswer: (forMs) => (forMs === undefined ? timer.cancel() : timer.set(forMs)),
  });
  const keeper = new ConnectionKeeper(settings, {
    url: () => dialled(url, receiver),
    address: url.href,
    message: (message) => receive(message, receiver, keeper, publisher),
    entered: (state) => {
      if (state === "open") receiver.step({ kind: "asked", id: URL_SUBSCRIBE_ID });
      else receiver.step({ kind: state === "closed" ? "close" : "lost" });
      if (state === "backingOff") publisher.lost();
      if (state === "closed") publisher.end(CLOSED);
    },
    changed: (change) => receiver.emitConnection(change),
    error: (error) => receiver.emit("error", withCause(error, path)),
  });
  const publisher = new Publisher(settings.clock, settings.publishing, {
    nextId: () => keeper.nextId,
    send: (frame) => {
      keeper.takeId();
      keeper.send(frame);
    },
  });
  const close = () => keeper.step({ kind: "close", reason: "closed by the subscriber" });
  const subscription = new Subscription(receiver, { connection: () => keeper.change, close }, publisher);
  keeper.begin();
  return subscription;
}

/** Only canonical paths are dialled here: if an edge says that one was not, it was changed on the way (A3). */
function withCause(error: ErrorBody, path: string): ErrorBody {
  const { code, message } = error;
  const isRespelled = code === "not_canonical" && message === `dial ${path}`;
  // Of a path that is an endpoint's. What is added to it on the way, or not taken away, does the same.
  if (!isRespelled && code !== "bad_upgrade") return error;
  const added = isRespelled ? ", which was dialled" : "";
  const cause = "the path came to the edge as another one: a proxy on the way changes paths";
  return { ...error, message: `${message}${added}; ${cause}` };
}

function dialled(to: URL, { start, occupancy }: Receiver): string {
  const url = new URL(to);
  const from = formatStart(start);
  if (from !== undefined) url.searchParams.set("from", from);
  if (occupancy) url.searchParams.set(OCCUPANCY, "");
  return url.href;
}

function receive(message: Message, receiver: Receiver, keeper: ConnectionKeeper, publisher: Publisher): void {
  for (const heard of hear(message)) {
    if (heard.kind === "expires" || heard.kind === "renewed") keeper.hearOfToken(heard);
    else if (heard.kind === "published") published(heard.id, heard.position, receiver, publisher);
    else if (heard.kind === "occupancy") {
      if (heard.endpoint === receiver.endpoint) receiver.hearOccupancy(heard.subscribers);
    } else if (heard.kind === "refused" && publisher.refused(heard.id, heard.error)) continue;
    else if (isFor(receiver, heard)) {
      follow(heard, receiver, keeper);
      if (heard.kind === "verdict") publisher.opened();
    }
  }
}

/** With the id of the subscribe it is a verdict that lacks something. */
function published(id: number, position: string, receiver: Receiver, publisher: Publisher): void {
  if (receiver.isAnsweredBy(id)) receiver.step({ kind: "unreadable" });
  else publisher.taken(id, position);
}

/** Frames of other endpoints are skipped (F9). What can't be read may have been anything of this one. */
function isFor(
  { endpoint }: Receiver,
  heard: Exclude<Heard, { readonly kind: "expires" | "renewed" | "published" | "occupancy" }>,
): heard is Extract<typeof heard, SubscriptionEvent<Update>> {
  switch (heard.kind) {
    case "update":
      return heard.update.endpoint === endpoint;
    case "reset":
      return heard.endpoint === endpoint;
    // The close that follows says the same (S18).
    case "dismissed":
    case "unsubscribed":
      return false;
    default:
      return true;
  }
}

function follow(heard: SubscriptionEvent<Update>, receiver: Receiver, keeper: ConnectionKeeper): void {
  if (heard.kind === "verdict") keeper.hearOfToken({ kind: "accepted" });
  if (heard.kind === "refused") {
    receiver.emit("error", heard.error);
    keeper.hearOfToken({ kind: "rejected", id: heard.id, error: heard.error });
  }
  receiver.step(heard);
}
