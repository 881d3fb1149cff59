/**
 * Publishes that come up the links, from sockets of objects: W26 and W27 of INTERNALS.md. Each is answered on the link that it
 * came on, to the socket that it names. If that link is gone by then its object has said so, and nobody waits for the answer.
 */
import { parseAddress } from "../../../shared/protocol/address.ts";
import {
  decodeLinkPublish,
  encodeLinkPublished,
  type PublishToken,
} from "../../../shared/protocol/link-publish.ts";
import type { Publish } from "../../../shared/protocol/publish.ts";
import { errorBody } from "../../../shared/protocol/schemas.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import type { Link } from "../links/links.ts";
import type { Refusal, Validity } from "../validity.ts";
import type { PublishOutcome } from "./outcome.ts";

export interface LinkPublishesPorts {
  validity(token: PublishToken): Pick<Validity, "refusal">;
  publish(publish: Publish, refusal: () => Refusal): Promise<PublishOutcome>;
  send(link: Link, frames: readonly string[]): void;
}

export class LinkPublishes {
  readonly #ports: LinkPublishesPorts;
  /** What one message of an origin answers leaves together. */
  readonly #answers = new Map<Link, string[]>();

  constructor(ports: LinkPublishesPorts) {
    this.#ports = ports;
  }

  /** Why it can't be read, if it can't. Nothing is awaited before it is sent on: order is kept. */
  take(link: Link, frame: Uint8Array<ArrayBuffer>): string | undefined {
    const read = decodeLinkPublish(frame);
    if (!read.ok) return read.problem;
    const { socket, id, token, publish } = read.value;
    if (!parseAddress(publish.endpoint).ok) return "publish: this is no endpoint";
    const validity = token && this.#ports.validity(token);
    const answer = (outcome: PublishOutcome) =>
      this.#answer(link, encodeLinkPublished({ socket, id, result: resultOf(outcome, publish) }));
    void this.#ports.publish(publish, () => validity?.refusal()).then(answer);
    return undefined;
  }

  #answer(link: Link, frame: string): void {
    const due = this.#answers.get(link);
    if (due !== undefined) {
      due.push(frame);
      return;
    }
    this.#answers.set(link, [frame]);
    queueMicrotask(() => {
      const frames = this.#answers.get(link) ?? [];
      this.#answers.delete(link);
      this.#ports.send(link, frames);
    });
  }
}

const LATER_CODES: readonly string[] = ["overloaded", "unavailable", "not_writable"];
const LATER = { retryAfterMs: TIME_LIMITS.publishLaterMs };

function resultOf(outcome: PublishOutcome, { key, by }: Publish) {
  if (outcome.kind === "position") return { position: outcome.position, guarantee: outcome.guarantee };
  const { code, message } = outcome;
  const waits = LATER_CODES.includes(code) ? LATER : {};
  // With it the same can be sent again, whoever made it.
  const again = code === "unknown_outcome" && by === "edge" ? key : undefined;
  return { error: { ...errorBody(code, message), ...waits }, key: again };
}
