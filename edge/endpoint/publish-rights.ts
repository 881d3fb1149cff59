/**
 * Which sockets of an endpoint may publish to it, and in whose name: W22 of PROTOCOL.md. The Worker looks at a token at the
 * handshake, and when it renews one; here its word is kept. What everybody may is kept nowhere.
 */
import type { Audience } from "../../shared/config/streams.ts";
import type { Holder } from "./holder.ts";
import type { PublisherNames, Right } from "./publishes.ts";

export interface PublishRightsConfig {
  /** Canonical. */
  readonly path: string;
  /** Who may publish there. */
  readonly by: Audience;
}

/** Names, and what the stream said when they were found good. */
export type SignedNames = PublisherNames & { readonly by: Audience };

export class PublishRights<S> {
  readonly #config: PublishRightsConfig;
  /** By whose token a socket is there; undefined for "public". */
  readonly #holderOf: (socket: S) => Holder | undefined;
  readonly #names = new Map<S, SignedNames>();

  constructor(config: PublishRightsConfig, holderOf: (socket: S) => Holder | undefined) {
    this.#config = config;
    this.#holderOf = holderOf;
  }

  /** What a socket's token, which has just come, lets it do. */
  grant(socket: S, names: PublisherNames | undefined): void {
    if (names === undefined) this.#names.delete(socket);
    else this.#names.set(socket, { issuer: names.issuer, subject: names.subject, by: this.#config.by });
  }

  /** One that outlived the memory. What its token let it do then counts only if the stream says the same still. */
  restore(socket: S, names: SignedNames): void {
    if (names.by === this.#config.by) this.#names.set(socket, names);
  }

  /** undefined if there is nothing to keep. */
  of(socket: S): SignedNames | undefined {
    return this.#names.get(socket);
  }

  remove(socket: S): void {
    this.#names.delete(socket);
  }

  mayPublish(socket: S): boolean {
    return this.right(socket, this.#config.path).ok;
  }

  right(socket: S, endpoint: string): Right {
    const { path, by } = this.#config;
    const names = this.#names.get(socket);
    if (endpoint !== path) return refused("unsupported", `this socket serves ${path} only`);
    if (names !== undefined) return { ok: true, names };
    if (by === "nobody") return refused("forbidden", "nobody may publish to this topic");
    const isPublic = this.#holderOf(socket) === undefined;
    if (isPublic && by === "public") return { ok: true, names: PUBLIC_NAMES };
    return isPublic
      ? refused("no_token", "without a token nothing can be published here")
      : refused("forbidden", "the token doesn't allow to publish this");
  }
}

const PUBLIC_NAMES: PublisherNames = { issuer: "", subject: "" };

function refused(code: Extract<Right, { ok: false }>["code"], message: string): Right {
  return { ok: false, code, message };
}
