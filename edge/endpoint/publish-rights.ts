/**
 * Which sockets of an endpoint may publish to it: W22 of PROTOCOL.md. The Worker looks at a token at the handshake, and when it
 * renews one; here its word is kept. What everybody may is kept nowhere.
 */
import type { Audience } from "../../shared/config/streams.ts";
import type { Holder } from "./holder.ts";
import type { Problem } from "./publishes.ts";

export interface PublishRightsConfig {
  /** Canonical. */
  readonly path: string;
  /** Who may publish there. */
  readonly by: Audience;
}

export class PublishRights<S> {
  readonly #config: PublishRightsConfig;
  /** By whose token a socket is there; undefined for "public". */
  readonly #holderOf: (socket: S) => Holder | undefined;
  /** Those whose tokens let them. */
  readonly #granted = new Set<S>();

  constructor(config: PublishRightsConfig, holderOf: (socket: S) => Holder | undefined) {
    this.#config = config;
    this.#holderOf = holderOf;
  }

  /** A socket's token, which has just come, lets it publish, or doesn't. */
  grant(socket: S, publishes: boolean): void {
    if (publishes) this.#granted.add(socket);
    else this.#granted.delete(socket);
  }

  /** One that outlived the memory. What was decided then, by what the stream said, counts only if it says the same still. */
  restore(socket: S, by: Audience): void {
    this.grant(socket, by === this.#config.by);
  }

  /** What the stream said when a socket's token was found to let it; undefined if it doesn't. */
  grantedBy(socket: S): Audience | undefined {
    return this.#granted.has(socket) ? this.#config.by : undefined;
  }

  remove(socket: S): void {
    this.#granted.delete(socket);
  }

  mayPublish(socket: S): boolean {
    return this.whyNot(socket, this.#config.path) === undefined;
  }

  /** undefined if it may publish there. */
  whyNot(socket: S, endpoint: string): Problem | undefined {
    const { path, by } = this.#config;
    if (endpoint !== path) return { code: "unsupported", message: `this socket serves ${path} only` };
    if (this.#granted.has(socket)) return undefined;
    if (by === "nobody") return { code: "forbidden", message: "nobody may publish to this topic" };
    const isPublic = this.#holderOf(socket) === undefined;
    if (isPublic && by === "public") return undefined;
    return isPublic
      ? { code: "no_token", message: "without a token nothing can be published here" }
      : { code: "forbidden", message: "the token doesn't allow to publish this" };
  }
}
