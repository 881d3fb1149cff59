import type { SASLOptions } from "kafkajs";

/** How to reach Kafka. */
export interface KafkaSettings {
  /** host:port of some brokers; the others are learnt from them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Without it the connections are plain TCP. */
  readonly tls?: TlsSettings;
  readonly sasl?: SASLOptions;
}

/** PEM texts. */
export interface TlsSettings {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string;
  /** The client's own certificate and key, where the brokers ask for one. */
  readonly cert?: string;
  readonly key?: string;
}
