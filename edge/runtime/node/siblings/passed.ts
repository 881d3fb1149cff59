/**
 * What edges say to each other that share an address: processes on one port, each an edge of its own. It goes over their IPC
 * channels, through the process that started them; so nobody outside can say it, or hear it.
 */

/** Which one of them an edge is. */
export interface Place {
  readonly number: number;
  readonly count: number;
  /** Each accepts connections itself, on the same port. Otherwise the process that started them does, for all. */
  readonly sharesPort: boolean;
}

interface Between {
  readonly from: number;
  readonly to: number;
}

/** A request without a body. `cf` is what its runtime said of who asks. */
export interface Question extends Between {
  readonly kind: "question";
  readonly id: number;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly cf: unknown;
}

export interface Answer extends Between {
  readonly kind: "answer";
  readonly id: number;
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** A connection, of which so much has been read, in base64. The message carries it. */
export interface PassedOn extends Between {
  readonly kind: "connection";
  readonly read: string;
}

export type Passed = Question | Answer | PassedOn;

/** Accepted for an edge by the process that started it. The message carries it. */
export interface Accepted {
  readonly kind: "accepted";
}

/** The edge can be reached. */
export interface Listening {
  readonly kind: "listening";
  readonly port: number;
}
