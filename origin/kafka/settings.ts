import type { SASLOptions } from "kafkajs";
import type { Renewable } from "../settings/renewable.ts";

/** How to reach Kafka. */
export interface KafkaSettings extends Credentials {
  /** host:port of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Where parts of the credentials come from. */
  readonly parts?: CredentialParts;
  /** The credentials of a connection that is about to be made, if they may have changed. Never rejects. */
  readonly current?: () => Promise<Credentials>;
  /** Told what brokers lack that others have, in words, whenever that is met. */
  readonly lacks?: (what: string) => void;
  /** Tests can't wait as long, or have to wait longer. */
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  /** A broker that sends not a byte for so long, while it is connected to, is taken for dead. */
  readonly connectMs: number;
  /** For how long a read tries again what fails. */
  readonly patienceMs: number;
}

/** What a connection begins with. */
export interface Credentials {
  /** Without it the connections are plain TCP. */
  readonly tls?: TlsSettings;
  readonly sasl?: SASLOptions;
}

/** PEM texts. */
export interface TlsSettings extends Partial<Identity> {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string;
  /** For which brokers' certificates must be, if not for the host that is dialled. */
  readonly name?: string;
}

/** The client's own certificate and key, if the brokers ask for one. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** Each by itself: one that can't be used just now holds up no other. */
export interface CredentialParts {
  readonly ca?: Renewable<string>;
  readonly identity?: Renewable<Identity>;
  readonly sasl?: Renewable<SASLOptions>;
}
