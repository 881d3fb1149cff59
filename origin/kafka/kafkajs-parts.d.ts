/** The parts of kafkajs 2.2.4 below its clients, which it ships without types: as much of them as is used. */
declare module "kafkajs/src/network/connectionPool.js" {
  import type { Socket } from "node:net";
  import type { ConnectionOptions } from "node:tls";
  import type { SASLOptions } from "kafkajs";

  export interface Connection {
    /** Whether it needs no authentication, for now: never without SASL. */
    isAuthenticated(): boolean;
    authenticate(): Promise<void>;
    /** Takes what a socket brings. */
    processData(bytes: Buffer): void;
    nextCorrelationId(): number;
    rejectRequests(error: Error): void;
    readonly requestQueue: {
      scheduleCheckPendingRequests(): void;
      /** After every answer to a request of its own. @param ms Undefined if the answer doesn't say. */
      maybeThrottle(ms: number | undefined): void;
      /** Ends its timers. */
      destroy(): void;
    };
  }

  export default class ConnectionPool {
    constructor(options: {
      host: string;
      port: number;
      ssl: ConnectionOptions | undefined;
      sasl: SASLOptions | undefined;
      clientId: string;
      connectionTimeout: number;
      requestTimeout: number;
      logger: unknown;
      socketFactory: (to: {
        host: string;
        port: number;
        ssl: ConnectionOptions | undefined;
        onConnect: () => void;
      }) => Socket;
    });
    /** The first of its two; the other is never opened if it isn't asked for. */
    getConnection(): Promise<Connection>;
    map<T>(callback: (connection: Connection) => T): T[];
    destroy(): Promise<void>;
  }
}

declare module "kafkajs/src/broker/index.js" {
  import type ConnectionPool from "kafkajs/src/network/connectionPool.js";

  export default class Broker {
    constructor(options: { connectionPool: ConnectionPool; logger: unknown; allowAutoTopicCreation: false });
    /** By API key; known once connected. */
    readonly versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>> | null;
    connect(): Promise<void>;
  }
}

declare module "kafkajs/src/protocol/error.js" {
  /** What Kafka means by the number of an error, in words; of newer ones it knows only the number. */
  export function createErrorFromCode(code: number): Error;
}
